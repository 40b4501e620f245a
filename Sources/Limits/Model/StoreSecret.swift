import Engine

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
