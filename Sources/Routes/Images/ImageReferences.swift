package import Calls
package import Engine
package import Shared

/// The image and the mask that an edit request's JSON body refers to.
package struct ImageReferences: Sendable {
    package let image: Attachment
    package let mask: Attachment?

    package init(_ root: JSONValue) throws(APIError) {
        let fields = try RequestFields(root)
        var images: [JSONValue] = []
        for image in try fields.array("images") ?? JSONElements() { images.append(image) }
        guard let first = images.first else { throw .missing("images") }
        guard images.count == 1 else { throw .unsupportedValue("images", "only one image per request is supported") }
        image = try Self.named(first, "images[0]")
        mask = try fields["mask"].map { (mask) throws(APIError) in try Self.named(mask, "mask") }
    }

    private static func named(_ value: JSONValue, _ position: String) throws(APIError) -> Attachment {
        guard value.kind == .object else { throw .type(position, "an object") }
        if let id = value["file_id"] {
            guard id.string != nil else { throw .type("\(position).file_id", "a string") }
            guard value["image_url"] == nil else {
                throw .value(position, "must have either image_url or file_id, not both")
            }
        }
        return try AttachmentReader(part: value, position: position).image()
    }
}
