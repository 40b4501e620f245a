package import Shared

/// A caller's wishes for a file, which not all vendors have a place for.
package struct FileTerms: Sendable {
    package var purpose: FilePurpose?
    package var lifetimeSeconds: Int?

    package init(purpose: FilePurpose? = nil, lifetimeSeconds: Int? = nil) {
        self.purpose = purpose
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// Those that the earlier ones lack.
    package func added(to earlier: FileTerms) -> FileTerms {
        FileTerms(
            purpose: earlier.purpose == nil ? purpose : nil,
            lifetimeSeconds: earlier.lifetimeSeconds == nil ? lifetimeSeconds : nil
        )
    }

    /// As fields of OpenAI's form.
    package var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let purpose { fields.append(("purpose", "\(purpose.name)")) }
        if let lifetimeSeconds {
            fields += [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "\(lifetimeSeconds)")]
        }
        return fields
    }
}
