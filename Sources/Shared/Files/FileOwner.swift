import Engine
import Limits

/// A caller as the owner of files. Ids of its files are made and read here: `file-` and a text that only this owner's key
/// opens, so that any instance can serve any file, and none has to remember it.
///
/// Without `FILE_ID_SECRET` a caller's token is the key; of a known caller with several the first seals, and each opens,
/// so that ids live as long as the token that sealed them.
package struct FileOwner: Sendable {
    /// For the keys of records in the shared store.
    let identity: Identity
    private let key: SealingKey
    /// Of the caller's other tokens.
    private let otherSecrets: [[UInt8]]
    private let context: [UInt8]

    /// Longer ones are none.
    package static let idLimitBytes = 1_000
    /// Of what is sealed, and how.
    private static let version: UInt8 = 1

    /// Nil: the caller is anonymous and owns nothing. `secret`: `FILE_ID_SECRET`.
    package init?(_ caller: Caller, secret: String?) {
        guard let identity = caller.identity else { return nil }
        self.identity = identity
        let secrets: [[UInt8]] =
            if let secret {
                [[UInt8](secret.utf8)]
            } else if let key = caller.key {
                key.tokens.map(\.fileSecret)
            } else {
                [KeyToken.fileSecret(of: caller.passedKey)]
            }
        context = [Self.version] + identity.digest.withBytes { [UInt8]($0) }
        key = Self.key(secrets[0], identity)
        otherSecrets = Array(secrets.dropFirst())
    }

    private static func key(_ secret: [UInt8], _ identity: Identity) -> SealingKey {
        SealingKey(derivedFrom: secret, for: identity.digest.withBytes { Array("file ids of ".utf8) + $0 })
    }

    /// Nil: the vendor's words for it do not fit.
    package func id(of file: StoredFile) -> FileID? {
        guard file.namesAnAsset, let coded = file.encoded() else { return nil }
        let id = FileID([Self.version] + key.seal(coded, context: context))
        return id.text.utf8.count <= Self.idLimitBytes ? id : nil
    }

    /// Nil: no id, another's, a changed one, or one that its owner made up to lead elsewhere, which all look alike.
    package func open(_ id: FileID) -> StoredFile? {
        guard id.sealed.first == Self.version, let coded = opened(Array(id.sealed.dropFirst())) else { return nil }
        return StoredFile(coded).flatMap { $0.namesAnAsset ? $0 : nil }
    }

    private func opened(_ sealed: [UInt8]) -> [UInt8]? {
        if let coded = key.open(sealed, context: context) { return coded }
        for secret in otherSecrets {
            if let coded = Self.key(secret, identity).open(sealed, context: context) { return coded }
        }
        return nil
    }

    package func open(_ text: String) -> (id: FileID, file: StoredFile)? {
        guard let id = FileID(text), let file = open(id) else { return nil }
        return (id, file)
    }
}

/// An id, opened by its owner only.
package struct FileID: Sendable, Hashable {
    let sealed: [UInt8]
    private static let prefix = "file-"

    init(_ sealed: [UInt8]) { self.sealed = sealed }

    package init?(_ text: String) {
        guard text.utf8.count <= FileOwner.idLimitBytes, text.hasPrefix(Self.prefix) else { return nil }
        guard let sealed = Base64.url.bytes(text.utf8.dropFirst(Self.prefix.utf8.count)) else { return nil }
        self.sealed = sealed
    }

    package var text: String { Self.prefix + Base64.url.text(sealed) }
}
