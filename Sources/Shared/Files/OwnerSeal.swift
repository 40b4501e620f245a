import Engine
package import Limits

/// Encrypts data of a caller so that only the same caller can decrypt it, through any instance.
///
/// Without `FILE_ID_SECRET`, the caller's token is the key. If a known caller has several tokens, the first one
/// encrypts and each of them decrypts. Data can then be decrypted as long as the token that encrypted it is configured.
package struct OwnerSeal: Sendable {
    package let identity: Identity
    private let purpose: [UInt8]
    private let key: SealingKey
    /// The secrets of the caller's other tokens, for decryption.
    private let otherSecrets: [[UInt8]]
    private let context: [UInt8]

    /// Creates the seal; nil if the caller is anonymous, because it cannot own data.
    ///
    /// - Parameters:
    ///   - secret: `FILE_ID_SECRET`.
    ///   - purpose: separates the keys of different uses.
    ///   - version: the version of the encrypted content.
    package init?(_ caller: Caller, secret: String?, for purpose: String, version: UInt8) {
        guard let identity = caller.identity else { return nil }
        self.identity = identity
        self.purpose = Array(purpose.utf8)
        let secrets: [[UInt8]] =
            if let secret {
                [[UInt8](secret.utf8)]
            } else if let key = caller.key {
                key.tokens.map(\.fileSecret)
            } else {
                [KeyToken.fileSecret(of: caller.passedKey)]
            }
        context = [version] + identity.digest.withBytes { [UInt8]($0) }
        key = Self.key(secrets[0], self.purpose, identity: identity)
        otherSecrets = Array(secrets.dropFirst())
    }

    private static func key(_ secret: [UInt8], _ purpose: [UInt8], identity: Identity) -> SealingKey {
        SealingKey(derivedFrom: secret, for: identity.digest.withBytes { purpose + $0 })
    }

    /// Encrypts data.
    ///
    /// - Parameter name: an additional context; decryption needs the same name.
    package func seal(_ bytes: [UInt8], named name: String = "") -> [UInt8] {
        key.seal(bytes, context: context + Array(name.utf8))
    }

    /// Decrypts data; nil if it belongs to another owner or was changed.
    package func open(_ sealed: [UInt8], named name: String = "") -> [UInt8]? {
        let context = context + Array(name.utf8)
        if let opened = key.open(sealed, context: context) { return opened }
        for secret in otherSecrets {
            if let opened = Self.key(secret, purpose, identity: identity).open(sealed, context: context) {
                return opened
            }
        }
        return nil
    }
}
