package import Engine
import Shared

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
