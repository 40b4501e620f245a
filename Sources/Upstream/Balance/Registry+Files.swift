package import Calls
import Engine
package import Shared

/// The provider that stores a caller's new file or has stored one, with the call that reads or writes it.
package struct FileCall: Sendable {
    package let provider: any FileProvider
    package let call: VendorCall
    /// The name of the model that the file is for; empty if it is for no model.
    package let model: String
    /// The capacity of a call about a file without a model; nil if the provider has no limit or `call.callLedger` holds
    /// the capacity.
    private let held: HeldCapacity?
    /// The attempt by which the file's model was chosen; nil if the file is for no model.
    private let attempt: SingleAttempt?

    package init(_ provider: any FileProvider, _ attempt: SingleAttempt) {
        self.provider = provider
        call = attempt.call
        model = attempt.candidate.name
        held = nil
        self.attempt = attempt
    }

    fileprivate init(_ provider: any FileProvider, _ call: VendorCall, _ held: HeldCapacity? = nil) {
        self.provider = provider
        self.call = call
        model = ""
        self.held = held
        attempt = nil
        if let held { call.callLedger.hold(held) }
    }

    /// Frees the capacity when the call has ended, before its request ends.
    package func freeCapacity() { held?.end() }

    /// Records that the vendor's call failed.
    ///
    /// - Returns: the failure, with the credential of its call.
    package func failure(_ error: UpstreamError) -> UpstreamError { attempt?.failure(error) ?? call.failure(error) }

    /// The number of the key's account, as it is part of file ids.
    package var account: UInt64 { call.credential.accountNumber }
}

/// A provider that can store files, before one of its keys is chosen.
package struct FileCandidate: Sendable {
    /// The provider's name.
    package let name: String
    package let provider: any FileProvider
    fileprivate let keys: KeyRing?
    fileprivate let fixed: Credential?
    fileprivate let capacity: Capacity?
    fileprivate let loop: EventLoop

    /// Whether another key of the provider could store a file that was refused with the first one.
    package var hasMoreKeys: Bool { fixed == nil && keys.map { !$0.isSingle } ?? false }

    /// Takes the next key that was not tried, with its capacity if the provider has a limit. Returns nil if there is
    /// none.
    package func nextFileCall(besides tried: Set<String>, billing callLedger: CallLedger) async -> FileCall? {
        guard let keys else { return nil }
        let found: (Credential, HeldCapacity?)?
        if let capacity {
            found = await capacity.acquireNow(ofKeys: keys, or: nil, besides: tried, on: loop).map { ($0, $1) }
        } else {
            found = keys.next(at: loop.now, besides: tried).map { ($0, nil) }
        }
        return found.map { fileCall(with: $0, $1, billing: callLedger) }
    }

    /// Takes the next key, waiting for its capacity if the provider has a limit.
    package func fileCall(billing callLedger: CallLedger) async throws(UpstreamError) -> FileCall {
        callLedger.server = CallLedger.Server(name)
        guard let capacity else {
            return fileCall(with: fixed ?? keys?.next(at: loop.now) ?? .none, nil, billing: callLedger)
        }
        let (credential, held) = try await capacity.acquire(ofKeys: keys, or: fixed, on: loop)
        return fileCall(with: credential, held, billing: callLedger)
    }

    private func fileCall(
        with credential: Credential,
        _ held: HeldCapacity?,
        billing callLedger: CallLedger
    ) -> FileCall {
        let server = CallLedger.Server(name)
        callLedger.server = server
        return FileCall(
            provider,
            VendorCall(credential, of: server, billing: callLedger, on: loop, with: keys, within: capacity),
            held
        )
    }
}

extension Registry {
    /// Returns the first provider that stores files and that the caller may use, preferably one that also takes the
    /// attachments of chats; nil if there is none. A caller with their own vendor key gets a provider that forwards
    /// such keys.
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

    /// Returns the provider of a stored file, with the key of its upload and capacity. No key is used if the provider
    /// needs none. Returns nil if the provider or the key is no longer configured, or the caller may not use it.
    package func fileCall(
        of file: StoredFile,
        for caller: Caller,
        billing callLedger: CallLedger
    ) async throws(UpstreamError) -> FileCall? {
        guard let index = entries.firstIndex(where: { $0.provider.name == file.provider }),
            let provider = entries[index].provider as? any FileProvider
        else { return nil }
        let entry = entries[index]
        let server = CallLedger.Server(file.provider)
        if provider.opensWithoutKey {
            callLedger.server = server
            return FileCall(provider, VendorCall(.none, of: server, billing: callLedger, on: loop))
        }
        guard entry.isPassthrough == (caller.kind == .passThrough), modelCatalog.serve(caller, at: index),
            let credential = file.credential(
                entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                entry.keys
            )
        else { return nil }
        callLedger.server = server
        let held = try await entry.capacity?.acquire(for: credential, isAfterAnother: false, on: loop)
        return FileCall(
            provider,
            VendorCall(credential, of: server, billing: callLedger, on: loop, with: entry.keys, within: entry.capacity),
            held
        )
    }
}

extension StoredFile {
    /// Returns the key that the file was uploaded with; nil if that key is not available.
    ///
    /// - Parameters:
    ///   - fixed: the caller's own key; nil if the relay's keys are used.
    ///   - keys: the relay's keys; nil if the provider needs none.
    func credential(_ fixed: Credential?, _ keys: KeyRing?) -> Credential? {
        if fixed == nil, let keys { return keys.credential(ofAccount: account) }
        let only = fixed ?? Credential.none
        return only.accountNumber == account ? only : nil
    }
}
