import Engine
import Glibc

/// The file with OpenAI's vocabularies, which the tool `make-tokens` creates.
///
/// The file is mapped into memory. Never write into the file; replace it by renaming a new file.
package struct TokenFile: Sendable {
    package let o200k: Vocabulary
    package let cl100k: Vocabulary

    package struct Failure: Error {
        package var reason: String
    }

    package static let name = "relay.tokens"
    /// The folders that may hold the token file, seen from the folder of the relay's binary: `bin/relay` may have
    /// `share/relay/relay.tokens`.
    private static let folders = ["", "../share/relay/"]

    /// Opens the token file of the running binary: beside it, or in the folder for its data.
    package static func ofBinary() throws(Failure) -> TokenFile {
        var room = [UInt8](repeating: 0, count: 4_096)
        let count = room.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink("/proc/self/exe", $0, text.count) } ?? -1
            }
        }
        guard count > 0, count < room.count, let slash = room[..<count].lastIndex(of: UInt8(ascii: "/")) else {
            throw Failure(reason: "the binary's own path is not known")
        }
        let folder = String(decoding: room[...slash], as: UTF8.self)
        let paths = folders.map { folder + $0 + name }
        return try TokenFile(path: paths.first { access($0, F_OK) == 0 } ?? folder + name)
    }

    package init(path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(reason: "\(path): \(systemError)") }
        defer { close(descriptor) }
        var about = stat()
        guard fstat(descriptor, &about) == 0, about.st_size >= TokenFileHeader.byteCount else {
            throw Failure(reason: "\(path): too short for a header")
        }
        let size = Int(about.st_size)
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw Failure(reason: "\(path): \(systemError)")
        }
        let mapping = Mapping(base: base, count: size)
        guard let header = TokenFileHeader(mapping.bytes) else {
            throw Failure(reason: "\(path): not a token file of version \(TokenFileHeader.version), or cut")
        }
        let classes = CharacterClasses(header, in: mapping)
        o200k = Vocabulary(.o200k, TokenTable(header.vocabularies[0], in: mapping), classes: classes)
        cl100k = Vocabulary(.cl100k, TokenTable(header.vocabularies[1], in: mapping), classes: classes)
    }

    /// The memory into which the file is mapped.
    ///
    /// `@unchecked`: the memory is never written.
    final class Mapping: @unchecked Sendable {
        let base: UnsafeRawPointer
        private let count: Int

        init(base: UnsafeMutableRawPointer, count: Int) {
            self.base = UnsafeRawPointer(base)
            self.count = count
        }

        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

        deinit { munmap(UnsafeMutableRawPointer(mutating: base), count) }
    }
}
