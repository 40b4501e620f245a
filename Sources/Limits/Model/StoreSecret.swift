import Engine

/// The secret that hides callers and addresses in the store's keys.
package struct StoreSecret: Sendable {
    private let key: [UInt8]
    /// A number for the comparison of this secret with other instances' secrets.
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
