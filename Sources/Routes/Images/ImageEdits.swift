package import Engine
import Limits
package import Shared
package import Upstream

/// Reads the request to edit an image, from a multipart form or a JSON body.
func edit(_ content: RequestContent) async throws(APIError) -> ImageOperation.Order {
    var (call, fields, mask, named) = try await sent(content)
    // The kind of call depends on whether there is a mask, not on its content.
    call.isMasked = mask != nil || named?.mask != nil
    return ImageOperation.Order(
        call: call,
        fields: fields,
        features: call.isMasked ? .imageInpaint : .imageEdit,
        mask: mask,
        named: named
    )
}

private func sent(
    _ content: RequestContent
) async throws(APIError) -> (ImageCall, ForwardedFields, mask: Body?, ImageReferences?) {
    if content.isJSON {
        return try await content.json { (root) throws(APIError) in
            let call = try ImageCall(edit: RequestFields(root))
            let references = try ImageReferences(root)
            return (call, try ForwardedFields(root, .imageEdits), nil, references)
        }
    }
    let form = try await content.formStream(files: ["image", "mask"]).whole()
    var call = try ImageCall(edit: FormFields(form.fields))
    call.image = try editedImage(in: form)
    return (call, ForwardedFields(form.fields, images: call.count ?? 1, prompt: call.prompt), try mask(in: form), nil)
}

/// Returns the image of a form. Throws if the form has no image or more than one.
func editedImage(in form: Form) throws(APIError) -> ImageCall.Image {
    let images = form.files.filter { $0.name == "image" }
    guard let first = images.first, !first.bytes.bytes.isEmpty else { throw .missing("image") }
    guard images.count == 1 else { throw .unsupportedValue("image", "only one image per request is supported") }
    return try editable(first.bytes, "image")
}

/// Returns an image with its detected media type. Throws if images of this type cannot be edited.
func editable(_ bytes: Body, _ param: String) throws(APIError) -> ImageCall.Image {
    guard let type = MediaType(content: bytes.bytes), type.family == .image, type != .svg else {
        throw .value(param, "is not a PNG, JPEG, WebP or GIF", code: "invalid_image_format")
    }
    return .data(bytes, type)
}

private func mask(in form: Form) throws(APIError) -> Body? {
    let masks = form.files.filter { $0.name == "mask" && !$0.bytes.bytes.isEmpty }
    guard masks.count <= 1 else { throw .value("mask", "only one mask is supported") }
    return masks.first?.bytes
}

/// Converts a mask, which must have the size of the image, into the form that the vendor needs.
func converted(
    _ mask: Body,
    _ image: ImageCall.Image?,
    param: String,
    by provider: any ImageProvider,
    exchange: Exchange
) async throws(APIError) -> Body {
    let gateway = exchange.gateway
    guard case .data(let bytes, let type) = image, let size = ImageSize(of: type, bytes.bytes) else {
        throw .value(param, "has a size that cannot be read", code: "invalid_image_format")
    }
    let workBytes = provider.workBytes(ofMask: mask.bytes)
    do throws(RequestError) {
        try await exchange.request.body.hold(workBytes)
    } catch {
        throw Task.isCancelled ? .clientLeft : APIError(error)
    }
    defer { exchange.request.body.giveBack(workBytes) }
    do throws(MaskError) {
        return try await provider.converted(mask, for: size, by: gateway.worker, on: gateway.loop)
    } catch {
        if Task.isCancelled { throw .clientLeft }
        switch error {
        case .broken: throw .value("mask", "is not a readable PNG", code: "invalid_image_format")
        case .tooLarge: throw .value("mask", "has too many pixels")
        case .noAlpha: throw .value("mask", "has no transparent pixels, so nothing would be edited")
        case .otherSize: throw .value("mask", "must have the same width and height as the image")
        case .busy: throw .tooMuchWork
        }
    }
}

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

    private static func named(_ value: JSONValue, _ path: String) throws(APIError) -> Attachment {
        guard value.kind == .object else { throw .type(path, "an object") }
        if let id = value["file_id"] {
            guard id.string != nil else { throw .type("\(path).file_id", "a string") }
            guard value["image_url"] == nil else {
                throw .value(path, "must have either image_url or file_id, not both")
            }
        }
        return try AttachmentReader(part: value, path: path).image()
    }
}
