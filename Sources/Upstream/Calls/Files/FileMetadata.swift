package import Shared

/// The options that a caller gives for an uploaded file.
package struct FileMetadata: Sendable {
    package var purpose: FilePurpose?
    package var lifetimeSeconds: Int?

    package init(purpose: FilePurpose? = nil, lifetimeSeconds: Int? = nil) {
        self.purpose = purpose
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Returns only the options that `earlier` does not contain yet. All other options are nil in the result.
    package func added(to earlier: FileMetadata) -> FileMetadata {
        FileMetadata(
            purpose: earlier.purpose == nil ? purpose : nil,
            lifetimeSeconds: earlier.lifetimeSeconds == nil ? lifetimeSeconds : nil
        )
    }

    /// The options as form fields of OpenAI's upload request.
    package var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let purpose { fields.append(("purpose", "\(purpose.name)")) }
        if let lifetimeSeconds {
            fields += [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "\(lifetimeSeconds)")]
        }
        return fields
    }
}
