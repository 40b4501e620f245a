import Engine
package import Limits

/// Seals what belongs to a caller, so that only the same caller opens it, through any instance.
///
/// Without `FILE_ID_SECRET` a caller's token is the key; of a known caller with several the first seals, and each opens,
/// so that what is sealed lives as long as the token that sealed it.
package struct OwnerSeal: Sendable {
    package let identity: Identity
    private let purpose: [UInt8]
    private let key: SealingKey
    /// Of the caller's other tokens.
    private let otherSecrets: [[UInt8]]
    private let context: [UInt8]

    /// Nil: the caller is anonymous and owns nothing.
    ///
    /// - Parameters:
    ///   - secret: `FILE_ID_SECRET`.
    ///   - purpose: keeps keys apart.
    ///   - version: of what is sealed, and how.
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
        key = Self.key(secrets[0], self.purpose, identity)
        otherSecrets = Array(secrets.dropFirst())
    }

    private static func key(_ secret: [UInt8], _ purpose: [UInt8], _ identity: Identity) -> SealingKey {
        SealingKey(derivedFrom: secret, for: identity.digest.withBytes { purpose + $0 })
    }

    /// - Parameter name: has to be the same to open it.
    package func seal(_ bytes: [UInt8], named name: String = "") -> [UInt8] {
        key.seal(bytes, context: context + Array(name.utf8))
    }

    /// Nil: another's, or changed since.
    package func open(_ sealed: [UInt8], named name: String = "") -> [UInt8]? {
        let context = context + Array(name.utf8)
        if let opened = key.open(sealed, context: context) { return opened }
        for secret in otherSecrets {
            if let opened = Self.key(secret, purpose, identity).open(sealed, context: context) { return opened }
        }
        return nil
    }
}
