package import Shared

/// A caller's options for an uploaded file. Not all vendors support them.
package struct FileMetadata: Sendable {
    package var purpose: FilePurpose?
    package var lifetimeSeconds: Int?

    package init(purpose: FilePurpose? = nil, lifetimeSeconds: Int? = nil) {
        self.purpose = purpose
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Returns only the options that `earlier` does not set.
    package func added(to earlier: FileMetadata) -> FileMetadata {
        FileMetadata(
            purpose: earlier.purpose == nil ? purpose : nil,
            lifetimeSeconds: earlier.lifetimeSeconds == nil ? lifetimeSeconds : nil
        )
    }

    /// The options as fields of OpenAI's multipart form.
    package var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let purpose { fields.append(("purpose", "\(purpose.name)")) }
        if let lifetimeSeconds {
            fields += [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "\(lifetimeSeconds)")]
        }
        return fields
    }
}
