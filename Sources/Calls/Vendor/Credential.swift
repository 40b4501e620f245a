package import Engine
import Shared

/// The key that an upstream call is made with.
package struct Credential: Sendable {
    /// The key itself; empty if the provider needs none.
    package let key: String
    /// The name of one of the relay's own keys in the log (`k1` is the first); nil if the key is the caller's.
    package let label: String?

    /// Creates the credential for a key that the caller sent.
    package init(passedOn key: String) {
        self.key = key
        label = nil
    }

    package init(own key: String, label: String) {
        self.key = key
        self.label = label
    }

    /// The digest of the key, which identifies the account at the vendor that owns uploaded files.
    package var account: Digest { Digest(of: key) }
    /// The first eight bytes of `account`, as stored in file ids.
    package var accountNumber: UInt64 {
        account.withBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// The credential for a provider that needs no key.
    package static let none = Credential(own: "", label: "k0")
}
