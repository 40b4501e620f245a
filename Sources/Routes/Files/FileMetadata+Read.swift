import Calls
import Shared
import Upstream

extension FileMetadata {
    /// Reads the form fields that describe the uploaded file.
    /// - Parameter isWhole: whether a missing required field is an error.
    init(_ fields: [(name: String, text: String)], isWhole: Bool) throws(APIError) {
        let fields = FormFields(
            fields.map { field in
                // `FormFields` ignores text in brackets, so these names are rewritten.
                if field.name.isSame(as: "expires_after[anchor]") { return ("expires_after.anchor", field.text) }
                if field.name.isSame(as: "expires_after[seconds]") { return ("expires_after.seconds", field.text) }
                return field
            }
        )
        let name = try fields.choice("purpose", FilePurpose.allCases.map { "\($0.name)" })
        self.init()
        purpose = name.flatMap { FilePurpose(name: $0) }
        if isWhole, purpose == nil { throw .missing("purpose") }
        guard try fields.string("expires_after") == nil else { throw .type("expires_after", "an object") }
        let anchor = try fields.choice("expires_after.anchor", ["created_at"])
        lifetimeSeconds = try fields.integer("expires_after.seconds", 3_600...2_592_000)
        if isWhole, (anchor == nil) != (lifetimeSeconds == nil) {
            throw .missing(anchor == nil ? "expires_after.anchor" : "expires_after.seconds")
        }
    }
}
