package import Engine

/// The digest of the caller that a record is about. Known keys, passthrough keys and addresses never share a digest.
package struct Identity: Sendable, Hashable {
    package let digest: Digest
    /// Whether this is a configured key or all callers together. The settings bound the number of these identities.
    let isKnown: Bool

    /// Returns the identity of a known caller by its name. All tokens of the caller share this identity.
    package static func knownKey(named name: String) -> Identity {
        Identity("known", Digest(of: name).base64url(characters: 43), isKnown: true)
    }
    /// Returns the identity of a passthrough key.
    ///
    /// - Parameter bearer: the digest of the key that the caller sent.
    package static func passedKey(_ bearer: Digest) -> Identity { passedKey(named: bearer.callerName) }
    /// Returns the identity of a passthrough key by the name that the logs show for it, so that an operator can look up
    /// its use. The 96 bits of the name are enough: nobody but the owner finds a key with that name.
    package static func passedKey(named name: String) -> Identity { Identity("passed", name) }
    /// Returns the identity of a client address.
    ///
    /// - Parameter text: the IPv4 address, or the /64 network of an IPv6 address.
    package static func address(_ text: String) -> Identity { Identity("address", text) }
    /// Returns the identity of a provider's key, which the operator configured (`isOwn`) or a caller sent.
    package static func upstreamKey(_ key: Digest, of provider: String, isOwn: Bool) -> Identity {
        Identity("upstream", "\(provider) \(key.base64url(characters: 43))", isKnown: isOwn)
    }
    package static let everybody = Identity("everybody", "", isKnown: true)
    /// The identity of the record that lists the living instances.
    static let instances = Identity("instances", "", isKnown: true)

    /// Returns the identity that counts this caller's use of one model.
    package func using(_ model: String) -> Identity {
        Identity("model", "\(text) \(model)", isKnown: isKnown)
    }

    /// Returns the identity under which this caller's requests from one address are counted.
    package func from(_ address: String) -> Identity {
        Identity("from", "\(text) \(address)")
    }

    /// The digest as 43 characters, which reveal neither a key nor an address.
    package var text: String { digest.base64url(characters: 43) }

    private init(_ kind: String, _ text: String, isKnown: Bool = false) {
        digest = Digest(of: "\(kind) \(text)")
        self.isKnown = isKnown
    }

    /// Returns the record's key in the store: `relay:1:<limit id>:<22 characters>`. Records of the instances themselves
    /// ignore the secret, because every instance must find them.
    func storeKey(_ limit: Limit, _ secret: StoreSecret? = nil) -> String {
        let name = self == .instances ? digest : secret?.digest(of: digest) ?? digest
        return "relay:1:\(limit.id):\(name.base64url(characters: 22))"
    }
}

/// The key of one limit of one caller in a table: 128 bits made of both digests.
struct RecordKey: Hashable {
    private let high: UInt64
    private let low: UInt64

    /// The key as two numbers.
    var words: (UInt64, UInt64) { (high, low) }

    /// Creates the key that has these `words`.
    init(_ high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ limit: borrowing Limit, _ identity: borrowing Identity) {
        let (first, second, _, _) = identity.digest.words
        high = first ^ limit.words.0
        low = second ^ limit.words.1
    }

    func hash(into hasher: inout Hasher) { hasher.combine(high) }
}
