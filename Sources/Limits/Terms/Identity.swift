package import Engine

/// Whom a record is about, as a digest: known keys, keys that are passed on and addresses never share one.
package struct Identity: Sendable, Hashable {
    package let digest: Digest
    /// A known key, or all callers together: there are not more of them than the operator made.
    let isKnown: Bool

    /// A known caller by its NAME, whichever of its tokens it brings.
    package static func knownKey(named name: String) -> Identity {
        Identity("known", Digest(of: name).base64url(characters: 43), isKnown: true)
    }
    /// `bearer`: the digest of the key that a caller brought.
    package static func passedKey(_ bearer: Digest) -> Identity { passedKey(named: bearer.callerName) }
    /// The same by the name that such a caller has in logs, so that an operator can ask for what it used. Its 96 bits
    /// are enough: nobody finds a key of that name but its owner.
    package static func passedKey(named name: String) -> Identity { Identity("passed", name) }
    /// The text of an address, of version 6 that of its /64.
    package static func address(_ text: String) -> Identity { Identity("address", text) }
    /// A key that a provider is called with, which its operator made or a caller brought.
    package static func upstreamKey(_ key: Digest, of provider: String, isOwn: Bool) -> Identity {
        Identity("upstream", "\(provider) \(key.base64url(characters: 43))", isKnown: isOwn)
    }
    package static let everybody = Identity("everybody", "", isKnown: true)
    /// Of the instances that are alive.
    static let instances = Identity("instances", "", isKnown: true)

    /// One caller's use of one model.
    package func using(_ model: String) -> Identity {
        Identity("model", "\(text) \(model)", isKnown: isKnown)
    }

    /// One caller from one address.
    package func from(_ address: String) -> Identity {
        Identity("from", "\(text) \(address)")
    }

    /// 43 characters that say nothing of a key or an address.
    package var text: String { digest.base64url(characters: 43) }

    private init(_ kind: String, _ text: String, isKnown: Bool = false) {
        digest = Digest(of: "\(kind) \(text)")
        self.isKnown = isKnown
    }

    /// `relay:1:<limit id>:<22 characters>`. Those of the instances themselves have no secret: all must find them.
    func storeKey(_ limit: Limit, _ secret: StoreSecret? = nil) -> String {
        let name = self == .instances ? digest : secret?.digest(of: digest) ?? digest
        return "relay:1:\(limit.id):\(name.base64url(characters: 22))"
    }
}

/// One limit of one caller, as a table's key: 128 bits of both digests.
struct RecordKey: Hashable {
    private let high: UInt64
    private let low: UInt64

    init(_ limit: borrowing Limit, _ identity: borrowing Identity) {
        let (first, second, _, _) = identity.digest.words
        high = first ^ limit.words.0
        low = second ^ limit.words.1
    }

    func hash(into hasher: inout Hasher) { hasher.combine(high) }
}
