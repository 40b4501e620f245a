import Engine
import Limits

/// A caller as the owner of files. It creates and decrypts the ids of its files.
package struct FileOwner: Sendable {
    private let seal: OwnerSeal

    /// The identity of the caller. The stored lists of the owner's files are named after it.
    var identity: Identity { seal.identity }

    package static let idLimitBytes = 1_000
    /// The version of the format of file ids. It is the first byte of each decoded id.
    private static let version: UInt8 = 1

    /// Creates an owner from a caller and `FILE_ID_SECRET`; nil if the caller is anonymous.
    package init?(_ caller: Caller, secret: String?) {
        guard let seal = OwnerSeal(caller, secret: secret, for: "file ids of ", version: Self.version) else {
            return nil
        }
        self.seal = seal
    }

    /// Creates the id of a file; nil if the file's path or id at the vendor is invalid or too long.
    package func id(of file: StoredFile) -> FileID? {
        guard file.hasValidVendorNames, let coded = file.encoded() else { return nil }
        let id = FileID([Self.version] + seal.seal(coded))
        return id.text.utf8.count <= Self.idLimitBytes ? id : nil
    }

    /// Decrypts a file id. Returns nil if the id is damaged, forged or another owner's.
    package func open(_ id: FileID) -> StoredFile? {
        guard id.sealed.first == Self.version, let coded = seal.open(Array(id.sealed.dropFirst())) else { return nil }
        return StoredFile(coded).flatMap { $0.hasValidVendorNames ? $0 : nil }
    }

    package func open(_ text: String) -> (id: FileID, file: StoredFile)? {
        guard let id = FileID(text), let file = open(id) else { return nil }
        return (id, file)
    }
}

/// The id of a file: an encrypted text that only the file's owner can decrypt.
package struct FileID: Sendable, Hashable {
    let sealed: [UInt8]
    private static let prefix = "file-"

    init(_ sealed: [UInt8]) { self.sealed = sealed }

    package init?(_ text: String) {
        guard text.utf8.count <= FileOwner.idLimitBytes, let rest = text.rest(after: Self.prefix),
            let sealed = Base64.url.bytes(rest.utf8)
        else { return nil }
        self.sealed = sealed
    }

    package var text: String { Self.prefix + Base64.url.text(sealed) }
}
