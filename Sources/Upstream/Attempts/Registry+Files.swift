import Engine
package import Shared

/// An upstream call that reads or deletes a caller's file, together with the call's provider.
package struct FileCall: Sendable {
    private let provider: any FileProvider
    private let call: Attempt
    /// The capacity that this call holds; nil without a capacity limit.
    private let held: HeldCapacity?

    fileprivate init(_ provider: any FileProvider, _ call: Attempt, _ held: HeldCapacity? = nil) {
        self.provider = provider
        self.call = call
        self.held = held
        if let held { call.billing.hold(held) }
    }

    /// Makes the call, which is not billed, and records its end.
    package func made<Value: Sendable>(
        _ ask: (any FileProvider, Attempt) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        try await call.unbilled { () async throws(UpstreamError) in try await ask(provider, call) }
    }

    /// Frees the capacity of the call early, so that other requests can use it before this request ends.
    package func freeCapacity() { held?.end() }
}

extension Registry {
    /// Returns the providers that store files for the caller, in the order in which they are tried; nil if there are none.
    /// Those that also accept attachments of chats come first.
    package func fileCandidates(for caller: Caller) -> Candidates? {
        let all = entries.indices.filter { index in
            let entry = entries[index]
            return entry.provider is any FileProvider && entry.isPassthrough == (caller.kind == .passThrough)
                && modelCatalog.serve(caller, at: index)
        }
        let sorted =
            all.filter { entries[$0].provider is any AssetUploader }
            + all.filter { !(entries[$0].provider is any AssetUploader) }
        let candidates = sorted.enumerated().map { fileCandidate($1, caller, priority: $0) }
        return candidates.isEmpty ? nil : Candidates(CandidateList(candidates), balance, for: caller)
    }

    private func fileCandidate(_ index: Int, _ caller: Caller, priority: Int) -> Candidate {
        let entry = entries[index]
        return Candidate(
            server: Billing.Server(entry.provider.name),
            provider: entry.provider,
            model: Model(unknown: ""),
            keys: entry.keys,
            fixed: entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
            capacity: entry.capacity,
            offeredBy: index,
            rank: ModelCatalog.Rank(priority: priority),
            balance: balance,
            loop: loop
        )
    }

    /// Returns a call to the provider that stores the file, with the key that uploaded it. Waits for capacity.
    ///
    /// Returns nil if the caller can no longer use the provider, or can no longer use the key.
    package func fileCall(
        of file: StoredFile,
        for caller: Caller,
        billing: Billing
    ) async throws(UpstreamError) -> FileCall? {
        guard let index = entries.firstIndex(where: { $0.provider.name == file.provider }),
            let provider = entries[index].provider as? any FileProvider
        else { return nil }
        let entry = entries[index]
        let server = Billing.Server(file.provider)
        if provider.opensWithoutKey {
            billing.server = server
            return FileCall(provider, Attempt(.none, of: server, billing: billing, on: loop))
        }
        guard entry.isPassthrough == (caller.kind == .passThrough), modelCatalog.serve(caller, at: index),
            let credential = file.credential(
                entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                entry.keys
            )
        else { return nil }
        billing.server = server
        let held = try await entry.capacity?.acquire(for: credential, isAfterAnother: false, on: loop)
        return FileCall(
            provider,
            Attempt(credential, of: server, billing: billing, on: loop, with: entry.keys, within: entry.capacity),
            held
        )
    }
}

extension StoredFile {
    /// Returns the key that the file was uploaded with; nil if this key is not one of the given keys.
    /// - Parameters:
    ///   - fixed: the caller's own key; nil if the relay's keys are used.
    ///   - keys: the relay's keys; nil if the provider needs no key.
    func credential(_ fixed: Credential?, _ keys: KeyRing?) -> Credential? {
        if fixed == nil, let keys { return keys.credential(ofAccount: account) }
        let only = fixed ?? Credential.none
        return only.accountNumber == account ? only : nil
    }
}
