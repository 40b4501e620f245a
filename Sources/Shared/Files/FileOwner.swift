import Engine
import Limits

/// A caller as the owner of files. Ids of its files are made and read here: `file-` and a text that only this owner's key
/// opens, so that any instance can serve any file, and none has to remember it.
package struct FileOwner: Sendable {
    private let seal: OwnerSeal

    /// For the keys of records in the shared store.
    var identity: Identity { seal.identity }

    /// Longer ones are none.
    package static let idLimitBytes = 1_000
    /// Of what is sealed, and how.
    private static let version: UInt8 = 1

    /// Nil: the caller is anonymous and owns nothing. `secret`: `FILE_ID_SECRET`.
    package init?(_ caller: Caller, secret: String?) {
        guard let seal = OwnerSeal(caller, secret: secret, for: "file ids of ", version: Self.version) else {
            return nil
        }
        self.seal = seal
    }

    /// Nil: the vendor's words for it do not fit.
    package func id(of file: StoredFile) -> FileID? {
        guard file.namesAnAsset, let coded = file.encoded() else { return nil }
        let id = FileID([Self.version] + seal.seal(coded))
        return id.text.utf8.count <= Self.idLimitBytes ? id : nil
    }

    /// Nil: no id, another's, a changed one, or one that its owner made up to lead elsewhere, which all look alike.
    package func open(_ id: FileID) -> StoredFile? {
        guard id.sealed.first == Self.version, let coded = seal.open(Array(id.sealed.dropFirst())) else { return nil }
        return StoredFile(coded).flatMap { $0.namesAnAsset ? $0 : nil }
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
