package import Calls
import Engine
package import Shared

/// The provider that keeps a caller's new files, and the call that hands one over.
package struct FileKeeper: Sendable {
    package let provider: any FileProvider
    package let call: VendorCall
    /// The name of the model that it is for; empty: it is for no model.
    package let model: String

    package init(_ provider: any FileProvider, _ call: VendorCall, model: String = "") {
        self.provider = provider
        self.call = call
        self.model = model
    }

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
    fileprivate let registry: Registry

    /// Takes the turn of a key.
    package func keeper(billing sheet: CallSheet) -> FileKeeper {
        sheet.provider = name
        return FileKeeper(provider, call(billing: sheet))
    }

    private func call(billing sheet: CallSheet) -> VendorCall {
        let credential = fixed ?? keys?.next(at: registry.loop.nowNanoseconds) ?? .none
        return VendorCall(credential, billing: sheet, on: registry.loop, of: keys)
    }
}

extension Registry {
    /// The first provider that takes files and that the caller may use, with their own key if they brought one; nil:
    /// there is no such provider.
    package func fileCandidate(for caller: Caller) -> FileCandidate? {
        for (index, entry) in entries.enumerated() where entry.isPassthrough == (caller.kind == .passThrough) {
            guard let provider = entry.provider as? any FileProvider, offers.serve(caller, at: index) else { continue }
            return FileCandidate(
                name: entry.provider.name,
                provider: provider,
                keys: entry.keys,
                fixed: entry.isPassthrough ? Credential(passedOn: caller.passedKey) : nil,
                registry: self
            )
        }
        return nil
    }

    /// The provider of that name, which keeps files, to be read from without a key.
    package func fileKeeper(named name: String, billing sheet: CallSheet) -> FileKeeper? {
        guard let provider = entries.first(where: { $0.provider.name == name })?.provider as? any FileProvider else {
            return nil
        }
        sheet.provider = name
        return FileKeeper(provider, VendorCall(.none, billing: sheet, on: loop))
    }
}
