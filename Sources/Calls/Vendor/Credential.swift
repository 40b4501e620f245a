package import Engine
import Shared

/// The key that a call is made with.
package struct Credential: Sendable {
    /// Empty: none is needed.
    package let key: String
    /// The name of one of the relay's own keys in the log: `k1` is the first; nil: the caller's.
    package let label: String?

    /// One that the caller brought.
    package init(passedOn key: String) {
        self.key = key
        label = nil
    }

    package init(own key: String, label: String) {
        self.key = key
        self.label = label
    }

    /// The owner of the account at the vendor, as far as files kept there are concerned.
    package var account: Digest { Digest(of: key) }
    /// The first eight bytes of it, as ids of files have it.
    package var accountNumber: UInt64 {
        account.withBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    /// Of a provider that asks for none.
    package static let none = Credential(own: "", label: "k0")
}
