package import Engine

/// A key that relays with the same secrets have. Names that are made from it differ from those of other relays at the
/// same memcached.
package struct StoreScope: Sendable, Equatable {
    private let key: [UInt8]
    private let isOfSecret: Bool

    /// Derives the key from `STORE_SECRET`, or without it from the tokens of all callers.
    package init(_ secret: String?, _ keys: [KeySettings]) {
        let tokens = keys.flatMap(\.tokens).map { $0.digest.base64url(characters: 43) }.sorted().joined()
        isOfSecret = secret != nil
        key = hmac(key: Array("relay scope".utf8), Array((secret ?? tokens).utf8))
    }

    /// A part of names that all these relays share.
    var name: String {
        hmac(key: key, Array("name".utf8)).withUnsafeBytes { Digest(bytes: $0).base64url(characters: 22) }
    }

    /// Returns a name for an end user of a caller, from which nobody without the secret can learn the user's id.
    func digest(ofUser id: String, of caller: String) -> String {
        hmac(key: key, Array("user\0\(caller)\0\(id)".utf8))
            .withUnsafeBytes { Digest(bytes: $0).base64url(characters: 22) }
    }

    /// Appends the secrets of an entry in the response cache. `caller` owns the entry; nil if several callers do.
    package func append(to parts: inout ByteBuffer, of caller: Caller?) {
        guard !isOfSecret, let tokens = caller?.key?.tokens else { return key.withUnsafeBytes { parts.append($0) } }
        for token in tokens { token.digest.withBytes { parts.append($0) } }
    }
}
