package import Engine
package import Shared

/// The key that the relay uses for an upstream call.
package struct Credential: Sendable {
    /// The text of the key; empty if the provider needs no key.
    package let key: String
    /// The log's name for the key, such as `k1`; nil if the caller sent the key.
    package let label: String?

    package init(passedOn key: String) {
        self.key = key
        label = nil
    }

    package init(own key: String, label: String) {
        self.key = key
        self.label = label
    }

    /// Returns whether a text contains the key.
    func isReported(in text: String?) -> Bool { !key.isEmpty && text?.utf8.contains(key.utf8) ?? false }

    /// The digest of the key, which stands for the account at the vendor.
    package var account: Digest { Digest(of: key) }
    /// The first eight bytes of `account`, as stored in file ids.
    package var accountNumber: UInt64 { account.withBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) } }

    /// The credential for a provider that needs no key.
    package static let none = Credential(own: "", label: "k0")
}

/// An object that keeps the cooldowns of a provider's keys. Each call with a key reports its end to the object.
package protocol KeyCooldowns: AnyObject, Sendable {
    /// Records that a call with the key succeeded. Ends a cooldown of the key that began before the call.
    func served(_ credential: Credential, begun: LoopTime)
    /// Records that a call with the key failed. Puts the key in cooldown if the error has one
    /// (`UpstreamError.cooldown`).
    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime)
}

/// A vendor that can check whether it accepts a key.
package protocol KeyChecker: AnyObject, Sendable {
    /// The provider's name.
    var name: String { get }

    func accepts(key: String) async -> Bool
}

/// A vendor's list of models, which the relay reads periodically.
package protocol ModelList: AnyObject, Sendable {
    /// Returns the models that the relay's endpoints can use. The list is never empty.
    func models() async throws(UpstreamError) -> [LiveModel]
}
