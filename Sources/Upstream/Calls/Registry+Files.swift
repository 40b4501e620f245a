package import Shared

/// Who keeps a caller's new files, and the key that they are kept with.
package struct FileKeeper: Sendable {
    /// The provider's.
    package let name: String
    package let provider: any FileProvider
    package let credential: Credential

    /// Nil: the candidate's provider takes no files.
    package init?(_ candidate: Registry.Candidate) {
        guard let provider = candidate.provider as? any FileProvider else { return nil }
        self.init(name: candidate.provider.name, provider: provider, credential: candidate.credential)
    }

    fileprivate init(name: String, provider: any FileProvider, credential: Credential) {
        self.name = name
        self.provider = provider
        self.credential = credential
    }

    /// As ids of files have it.
    package var account: UInt64 { credential.account.number }
}

extension Registry {
    /// The first provider that takes files and that the caller may use, with his own key if he brought one; nil: there
    /// is none.
    package func fileKeeper(for caller: Caller) -> FileKeeper? {
        for (index, entry) in entries.enumerated() where entry.isPassthrough == (caller.kind == .passThrough) {
            guard let provider = entry.provider as? any FileProvider, offers.serve(caller, at: index) else { continue }
            let credential = credential(of: entry, for: caller)
            return FileKeeper(name: entry.provider.name, provider: provider, credential: credential)
        }
        return nil
    }

    /// The provider of that name, which keeps files.
    package func fileProvider(named name: String) -> (any FileProvider)? {
        entries.first { $0.provider.name == name }?.provider as? any FileProvider
    }
}
