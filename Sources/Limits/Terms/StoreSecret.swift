import Engine

/// The secret under which the store's keys name callers and addresses. Without it whoever tries all
/// addresses finds those that the digests stand for.
package struct StoreSecret: Sendable {
    private let key: [UInt8]
    /// The part of a digest of the secret by which instances see whether they have the same.
    let mark: Int

    package init(_ secret: String) {
        key = hmac(key: Array("relay store".utf8), Array(secret.utf8))
        mark = hmac(key: key, Array("mark".utf8)).prefix(5).reduce(0) { $0 << 8 | Int($1) }
    }

    /// The digest of an identity that only those with the secret can tell.
    func digest(of identity: Digest) -> Digest {
        hmac(key: key, Array(identity.base64url(characters: 43).utf8)).withUnsafeBytes { Digest(bytes: $0) }
    }
}
