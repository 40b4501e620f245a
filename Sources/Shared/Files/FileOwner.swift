import Engine

/// A caller as the owner of files. Ids of its files are made and read here: `file-` and a text that only this owner's key
/// opens, so that any instance can serve any file, and none has to remember it.
package struct FileOwner: Sendable {
    /// For the keys of records in the shared store.
    let identity: Identity
    private let key: SealingKey
    private let context: [UInt8]

    /// Longer ones are none.
    package static let idLimitBytes = 1_000
    /// Of what is sealed, and how.
    private static let version: UInt8 = 1

    /// Nil: the caller is anonymous and owns nothing. `secret`: `FILE_ID_SECRET`.
    package init?(_ caller: Caller, secret: String?) {
        guard let digest = caller.identity else { return nil }
        let own: [UInt8]
        switch caller.kind {
        case .anonymous: return nil
        case .known:
            guard let key = caller.key else { return nil }
            identity = .knownKey(digest)
            own = key.fileSecret
        case .passThrough:
            identity = .passedKey(digest)
            own = Self.secret(ofToken: caller.passedKey)
        }
        let name = identity.digest.withBytes { [UInt8]($0) }
        key = SealingKey(derivedFrom: secret.map { [UInt8]($0.utf8) } ?? own, for: Array("file ids of ".utf8) + name)
        context = [Self.version] + name
    }

    /// What stands for a token that is not kept: neither it nor its digest can be had from this.
    package static func secret(ofToken token: String) -> [UInt8] {
        hkdf(Array(token.utf8), salt: [], info: Array("secret of file ids".utf8), count: SealingKey.byteCount)
    }

    /// Nil: the vendor's words for it do not fit.
    package func id(of file: StoredFile) -> FileID? {
        guard let coded = file.encoded() else { return nil }
        let id = FileID([Self.version] + key.seal(coded, context: context))
        return id.text.utf8.count <= Self.idLimitBytes ? id : nil
    }

    /// Nil: no id, another's, or a changed one, which all look alike.
    package func open(_ id: FileID) -> StoredFile? {
        guard id.sealed.first == Self.version, let coded = key.open(Array(id.sealed.dropFirst()), context: context)
        else {
            return nil
        }
        return StoredFile(coded)
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
