import Engine
package import Limits

/// Encrypts a caller's data so that only the same caller can decrypt it, on any instance.
///
/// The encryption key is derived from `FILE_ID_SECRET`, or without this setting from the caller's token. The first
/// token of a known caller then encrypts, and each configured token decrypts.
package struct OwnerSeal: Sendable {
    package let identity: Identity
    private let purpose: [UInt8]
    private let key: SealingKey
    /// The secrets of the caller's tokens except the first one. They can decrypt data, but do not encrypt it.
    private let otherSecrets: [[UInt8]]
    private let context: [UInt8]

    /// Creates the seal of a caller; nil if the caller is anonymous.
    /// - Parameters:
    ///   - secret: `FILE_ID_SECRET`; nil if it is not set.
    ///   - purpose: a text for the kind of data; each purpose has its own encryption key.
    ///   - version: the version of the data's format. Data of another version cannot be decrypted.
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

    /// Encrypts data of the caller.
    /// - Parameter name: a name for the data; `open` needs it.
    package func seal(_ bytes: [UInt8], named name: String = "") -> [UInt8] {
        key.seal(bytes, context: context + Array(name.utf8))
    }

    /// Decrypts the caller's data; nil if it has another owner or name, or was changed.
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
