package import Calls
import Engine
package import Shared

/// An upstream call that stores, reads or deletes a caller's file, together with the call's provider.
package struct FileCall: Sendable {
    package let provider: any FileProvider
    package let call: Attempt
    /// The name of the model for which the file is uploaded; empty if the file is not for a certain model.
    package let model: String
    /// The capacity that this call holds; nil without a capacity limit.
    private let held: HeldCapacity?

    fileprivate init(_ provider: any FileProvider, _ call: Attempt, _ held: HeldCapacity? = nil) {
        self.provider = provider
        self.call = call
        model = ""
        self.held = held
        if let held { call.billing.hold(held) }
    }

    /// Frees the capacity of the call early, so that other requests can use it before this request ends.
    package func freeCapacity() { held?.end() }

    /// Records that the call failed. Returns the failure with the credential of the call.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        call.failure(error)
    }

    /// The number of the key's account, which file ids contain.
    package var account: UInt64 { call.credential.accountNumber }
}

/// A provider that can store files. Its key is not chosen yet.
package struct FileCandidate: Sendable {
    package let name: String
    package let provider: any FileProvider
    fileprivate let keys: KeyRing?
    fileprivate let fixed: Credential?
    fileprivate let capacity: Capacity?
    fileprivate let loop: EventLoop

    /// Whether more than one key of the provider can be used for the call.
    package var hasMoreKeys: Bool { fixed == nil && keys.map { !$0.isSingle } ?? false }

    /// Takes the next key that is not in `tried`, and returns a call with it. Does not wait.
    ///
    /// Returns nil if no key is left, or if no key has free capacity.
    package func nextFileCall(besides tried: Set<String>, billing: Billing) async -> FileCall? {
        guard let keys else { return nil }
        let found: (Credential, HeldCapacity?)?
        if let capacity {
            found = await capacity.acquireNow(ofKeys: keys, or: nil, besides: tried, on: loop).map { ($0, $1) }
        } else {
            found = keys.next(at: loop.now, besides: tried).map { ($0, nil) }
        }
        return found.map { fileCall(with: $0, $1, billing: billing) }
    }

    /// Takes the next key and returns a call with it. Waits until the key has capacity.
    package func fileCall(billing: Billing) async throws(UpstreamError) -> FileCall {
        billing.server = Billing.Server(name)
        guard let capacity else {
            return fileCall(with: fixed ?? keys?.next(at: loop.now) ?? .none, nil, billing: billing)
        }
        let (credential, held) = try await capacity.acquire(ofKeys: keys, or: fixed, on: loop)
        return fileCall(with: credential, held, billing: billing)
    }

    private func fileCall(with credential: Credential, _ held: HeldCapacity?, billing: Billing) -> FileCall {
        let server = Billing.Server(name)
        billing.server = server
        return FileCall(
            provider,
            Attempt(credential, of: server, billing: billing, on: loop, with: keys, within: capacity),
            held
        )
    }
}

extension Registry {
    /// Returns a provider that stores files for the caller; nil if there is none. Prefers a provider that also accepts
    /// attachments of chats.
    package func fileCandidate(for caller: Caller) -> FileCandidate? {
        var other: FileCandidate?
        for (index, entry) in entries.enumerated() where entry.isPassthrough == (caller.kind == .passThrough) {
            guard let provider = entry.provider as? any FileProvider, modelCatalog.serve(caller, at: index) else {
                continue
            }
            let candidate = FileCandidate(
                name: entry.provider.name,
                provider: provider,
                keys: entry.keys,
                fixed: entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                capacity: entry.capacity,
                loop: loop
            )
            if provider is any AssetUploader { return candidate }
            other = other ?? candidate
        }
        return other
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
    ///
    /// - Parameters:
    ///   - fixed: the caller's own key; nil if the relay's keys are used.
    ///   - keys: the relay's keys; nil if the provider needs no key.
    func credential(_ fixed: Credential?, _ keys: KeyRing?) -> Credential? {
        if fixed == nil, let keys { return keys.credential(ofAccount: account) }
        let only = fixed ?? Credential.none
        return only.accountNumber == account ? only : nil
    }
}
