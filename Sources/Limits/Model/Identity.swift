package import Engine

/// The identity of a caller in the records of limits, as a digest.
package struct Identity: Sendable, Hashable {
    package let digest: Digest
    /// Whether this is the identity of a configured key, or of all callers together.
    let isKnown: Bool
    /// The part of the memory for sessions and end users in which a caller has all of its own; nil for other identities.
    private(set) var sessionPart: UInt8?

    /// The number of parts of the memory for sessions and end users.
    static let sessionParts = 16

    /// Returns the identity of a known caller by its name. All tokens of the caller share this identity.
    package static func knownKey(named name: String) -> Identity {
        Identity("known", Digest(of: name).base64url(characters: 43), isKnown: true)
    }
    /// Returns the identity of a group of known callers by its name.
    package static func group(named name: String) -> Identity { Identity("group", name, isKnown: true) }
    /// Returns the identity of a passthrough key.
    /// - Parameter bearer: the digest of the passthrough key.
    package static func passedKey(_ bearer: Digest) -> Identity { passedKey(named: bearer.callerName) }
    /// Returns the identity of a passthrough key by the key's name in the logs.
    package static func passedKey(named name: String) -> Identity { Identity("passed", name) }
    /// Returns the identity of a client address.
    /// - Parameter text: the IPv4 address, or the /64 network of an IPv6 address.
    package static func address(_ text: String) -> Identity { Identity("address", text) }
    /// Returns the identity of a key for a provider. `isOwn` is false if a caller sent the key.
    package static func upstreamKey(_ key: Digest, of provider: String, isOwn: Bool) -> Identity {
        Identity("upstream", "\(provider) \(key.base64url(characters: 43))", isKnown: isOwn)
    }
    package static let everybody = Identity("everybody", "", isKnown: true)
    /// The identity under which the living instances are recorded in the store. It belongs to no caller.
    static let instances = Identity("instances", "", isKnown: true)

    /// Returns the identity that counts this caller's use of one model.
    package func using(_ model: String) -> Identity { Identity("model", "\(text) \(model)", isKnown: isKnown) }

    /// Returns the identity that counts this caller's requests from one address.
    package func from(_ address: String) -> Identity { Identity("from", "\(text) \(address)") }

    /// Returns the identity that counts the requests of one session of this caller.
    /// - Parameter session: the digest of the session's name, which the client chooses.
    package func inSession(_ session: Digest) -> Identity { with(session, "session") }

    /// Returns the identity that counts the requests of one end user of this caller.
    /// - Parameter user: the digest of the user's id, which the client chooses.
    package func ofUser(_ user: Digest) -> Identity { with(user, "user") }

    private func with(_ name: Digest, _ kind: String) -> Identity {
        var identity = Identity(kind, "\(text) \(name.base64url(characters: 43))")
        identity.sessionPart = UInt8(digest.words.0 % UInt64(Self.sessionParts))
        return identity
    }

    /// The digest as 43 characters, which reveal neither a key nor an address.
    package var text: String { digest.base64url(characters: 43) }

    private init(_ kind: String, _ text: String, isKnown: Bool = false) {
        digest = Digest(of: "\(kind) \(text)")
        self.isKnown = isKnown
    }

    /// Returns the store key of this identity's record for a limit: `relay:2:<limit id>:<22 characters>`. The records
    /// of instances have the keys of earlier versions, so that all versions see each other.
    func storeKey(_ limit: Limit, _ secret: StoreSecret? = nil) -> String {
        if self == .instances { return "relay:1:\(limit.id):\(digest.base64url(characters: 22))" }
        return "relay:2:\(limit.id):\(storeName(secret))"
    }

    /// Returns the store key that earlier versions of the relay used for a limit.
    func formerStoreKey(_ limit: Limit, _ secret: StoreSecret?) -> String {
        "relay:1:\(limit.formerID):\(storeName(secret))"
    }

    private func storeName(_ secret: StoreSecret?) -> String {
        (secret?.digest(of: digest) ?? digest).base64url(characters: 22)
    }
}

/// The 128-bit key by which tables find the state of one limit of one caller.
struct RecordKey: Hashable {
    private let high: UInt64
    private let low: UInt64

    /// The two halves of the key's 128 bits.
    var words: (UInt64, UInt64) { (high, low) }

    /// Creates the key from its two 64-bit halves.
    init(_ high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ limit: borrowing Limit, _ identity: borrowing Identity) {
        let (first, second, _, _) = identity.digest.words
        high = first ^ limit.words.0
        low = second ^ limit.words.1
    }

    /// Returns the key that earlier versions of the relay used for this record of a limit.
    func former(of limit: borrowing Limit) -> RecordKey {
        let (first, second, _, _) = Digest(of: limit.formerID).words
        return RecordKey(high ^ limit.words.0 ^ first, low ^ limit.words.1 ^ second)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(high) }

    /// A name for the record, from which neither the limit nor the caller can be found.
    var name: String { Digest(of: "record \(high) \(low)").base64url(characters: 22) }
}

/// The secret that hides callers and addresses in the store's keys.
package struct StoreSecret: Sendable {
    private let key: [UInt8]
    /// A number derived from the secret. Instances compare their numbers to see whether their secrets are equal.
    let mark: Int

    package init(_ secret: String) {
        key = hmac(key: Array("relay store".utf8), Array(secret.utf8))
        mark = hmac(key: key, Array("mark".utf8)).prefix(5).reduce(0) { $0 << 8 | Int($1) }
    }

    /// Returns the keyed digest of an identity. Only holders of the secret can compute it.
    func digest(of identity: Digest) -> Digest {
        hmac(key: key, Array(identity.base64url(characters: 43).utf8)).withUnsafeBytes { Digest(bytes: $0) }
    }
}
