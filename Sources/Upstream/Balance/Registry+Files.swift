package import Calls
import Engine
package import Shared

/// The provider that keeps a caller's new files, and the call that hands one over.
package struct FileKeeper: Sendable {
    package let provider: any FileProvider
    package let call: VendorCall
    /// The name of the model that it is for; empty: it is for no model.
    package let model: String
    /// Nil: the call's sheet has it, or the provider has no bound.
    private let held: HeldCapacity?
    /// Nil: the file is for no model.
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
        if let held { call.sheet.hold(held) }
    }

    /// The call has ended, before its request does.
    package func freeCapacity() { held?.end() }

    /// The vendor has not answered.
    ///
    /// - Returns: the failure, which tells the key.
    package func failure(_ error: UpstreamError) -> UpstreamError { attempt?.failure(error) ?? call.failure(error) }

    /// As ids of files have it.
    package var account: UInt64 { call.credential.accountNumber }
}

/// A provider that takes files.
package struct FileCandidate: Sendable {
    /// The provider's.
    package let name: String
    package let provider: any FileProvider
    fileprivate let keys: KeyRing?
    fileprivate let fixed: Credential?
    fileprivate let capacity: Capacity?
    fileprivate let loop: EventLoop

    /// Whether another key of the provider could take a file that the first one was refused for.
    package var hasMoreKeys: Bool { fixed == nil && keys.map { !$0.isSingle } ?? false }

    /// Takes the turn of a key that was not tried, with capacity if the provider has a bound. Returns nil if there is none.
    package func nextKeeper(besides tried: Set<String>, billing sheet: CallSheet) async -> FileKeeper? {
        guard let keys else { return nil }
        let found: (Credential, HeldCapacity?)?
        if let capacity {
            found = await capacity.takeNow(ofKeys: keys, or: nil, besides: tried, on: loop).map { ($0, $1) }
        } else {
            found = keys.next(at: loop.now, besides: tried).map { ($0, nil) }
        }
        return found.map { keeper(with: $0, $1, billing: sheet) }
    }

    /// Takes the turn of a key, and capacity if the provider has a bound.
    package func keeper(billing sheet: CallSheet) async throws(UpstreamError) -> FileKeeper {
        sheet.server = CallSheet.Server(name)
        guard let capacity else {
            return keeper(with: fixed ?? keys?.next(at: loop.now) ?? .none, nil, billing: sheet)
        }
        let (credential, held) = try await capacity.take(ofKeys: keys, or: fixed, on: loop)
        return keeper(with: credential, held, billing: sheet)
    }

    private func keeper(with credential: Credential, _ held: HeldCapacity?, billing sheet: CallSheet) -> FileKeeper {
        let server = CallSheet.Server(name)
        sheet.server = server
        return FileKeeper(
            provider,
            VendorCall(credential, of: server, billing: sheet, on: loop, with: keys, within: capacity),
            held
        )
    }
}

extension Registry {
    /// The first provider that takes files and that the caller may use, with their own key if they brought one; one that
    /// also takes the attachments of chats goes first. Nil: there is no such provider.
    package func fileCandidate(for caller: Caller) -> FileCandidate? {
        var other: FileCandidate?
        for (index, entry) in entries.enumerated() where entry.isPassthrough == (caller.kind == .passThrough) {
            guard let provider = entry.provider as? any FileProvider, offers.serve(caller, at: index) else { continue }
            let candidate = FileCandidate(
                name: entry.provider.name,
                provider: provider,
                keys: entry.keys,
                fixed: entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                capacity: entry.capacity,
                loop: loop
            )
            if provider is any AssetKeeper { return candidate }
            other = other ?? candidate
        }
        return other
    }

    /// The provider that keeps a file, with the key that it was uploaded with if it asks for one, and its capacity; nil: it,
    /// or the key, is there no more, or not open to the caller.
    package func fileKeeper(
        of file: StoredFile,
        for caller: Caller,
        billing sheet: CallSheet
    ) async throws(UpstreamError) -> FileKeeper? {
        guard let index = entries.firstIndex(where: { $0.provider.name == file.provider }),
            let provider = entries[index].provider as? any FileProvider
        else { return nil }
        let entry = entries[index]
        let server = CallSheet.Server(file.provider)
        if provider.opensWithoutKey {
            sheet.server = server
            return FileKeeper(provider, VendorCall(.none, of: server, billing: sheet, on: loop))
        }
        guard entry.isPassthrough == (caller.kind == .passThrough), offers.serve(caller, at: index),
            let credential = file.credential(
                entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                entry.keys
            )
        else { return nil }
        sheet.server = server
        let held = try await entry.capacity?.take(for: credential, isAfterAnother: false, on: loop)
        return FileKeeper(
            provider,
            VendorCall(credential, of: server, billing: sheet, on: loop, with: entry.keys, within: entry.capacity),
            held
        )
    }
}

extension StoredFile {
    /// The key that it was uploaded with; nil: that is not among these.
    ///
    /// - Parameters:
    ///   - fixed: the only one in question.
    ///   - keys: nil: the provider asks for none.
    func credential(_ fixed: Credential?, _ keys: KeyRing?) -> Credential? {
        if fixed == nil, let keys { return keys.credential(ofAccount: account) }
        let only = fixed ?? Credential.none
        return only.accountNumber == account ? only : nil
    }
}
