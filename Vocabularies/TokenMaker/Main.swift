import Engine
import Glibc
import Shared

/// `make-tokens FOLDER FILE`: makes the token file from FOLDER, which has classes.txt, o200k_base.ranks and
/// cl100k_base.ranks (see Vocabularies/README.md). The same input makes the same file. Exit 1 says what is wrong.
@main
enum Main {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { fail("usage: make-tokens FOLDER FILE") }
        let folder = arguments[1] + "/"
        var image = TokenImage(CharacterTable(read(folder + "classes.txt")))
        image.add(RankList(read(folder + "o200k_base.ranks"), .o200k))
        image.add(RankList(read(folder + "cl100k_base.ranks"), .cl100k))
        let bytes = image.finished()
        let target = arguments[2]
        let temporary = "\(target).\(getpid())"
        write(bytes, to: temporary)
        check(temporary)
        guard rename(temporary, target) == 0 else { fail("\(target) cannot be written") }
    }

    private static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { fail("\(path) cannot be read") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "w") else { fail("\(path) cannot be written") }
        let isWritten = fwrite(bytes, 1, bytes.count, file) == bytes.count
        guard fclose(file) == 0, isWritten else { fail("\(path) cannot be written whole") }
    }

    /// The file as it was written: its digest, and that the relay takes it and finds what it should.
    private static func check(_ path: String) {
        let bytes = read(path)
        let isWhole = bytes.withUnsafeBytes { bytes in
            guard let header = TokenFileHeader(bytes) else { return false }
            return header.digest == Digest(of: bytes[part: TokenFileHeader.byteCount..<bytes.count])
        }
        guard isWhole else { fail("\(path) is not as it was written") }
        do throws(TokenFile.Failure) {
            let file = try TokenFile(path: path)
            guard file.o200k.count("Hello, world") == 3, file.cl100k.count("Hello, world") == 3 else {
                fail("\(path) counts wrong")
            }
        } catch {
            fail(error.reason)
        }
    }
}

func fail(_ reason: String) -> Never {
    let line = Array("make-tokens: \(reason)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}
