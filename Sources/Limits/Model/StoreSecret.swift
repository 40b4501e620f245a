import Engine

/// The secret that hides callers and addresses in the store's keys. Without a secret, somebody who tries all addresses
/// can find those that the digests stand for.
package struct StoreSecret: Sendable {
    private let key: [UInt8]
    /// A part of a digest of the secret. Instances compare it to see whether they use the same secret.
    let mark: Int

    package init(_ secret: String) {
        key = hmac(key: Array("relay store".utf8), Array(secret.utf8))
        mark = hmac(key: key, Array("mark".utf8)).prefix(5).reduce(0) { $0 << 8 | Int($1) }
    }

    /// Returns the digest of an identity, which only holders of the secret can compute.
    func digest(of identity: Digest) -> Digest {
        hmac(key: key, Array(identity.base64url(characters: 43).utf8)).withUnsafeBytes { Digest(bytes: $0) }
    }
}
