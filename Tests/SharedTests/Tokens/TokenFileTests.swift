import Engine
import Glibc
import Support
import Testing

@testable import Shared

@Suite struct TokenFileTests {
    /// Returns the first bytes of the file that the build made, and a size.
    private func made() throws -> [UInt8] {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let path = getenv("RELAY_TOKENS").map { String(cString: $0) } ?? root + "/.build/debug/relay.tokens"
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: ftell(file))
        rewind(file)
        try #require(fread(&bytes, 1, bytes.count, file) == bytes.count)
        return bytes
    }

    private func loads(_ bytes: [UInt8]) throws -> TokenFile? {
        var path = Array("/tmp/relay-tokens-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        return try? TokenFile(
            path: path.withUnsafeBufferPointer { String(decoding: $0.dropLast().map(UInt8.init), as: UTF8.self) }
        )
    }

    @Test("the file that the build makes is taken, and says the digest of what it has")
    func whole() throws {
        let bytes = try made()
        let digest = bytes.withUnsafeBytes { bytes in
            (TokenFileHeader(bytes)?.digest, Digest(of: bytes[part: TokenFileHeader.byteCount..<bytes.count]))
        }
        #expect(digest.0 == digest.1)
        #expect(try loads(bytes)?.o200k.count("Hello, world") == 3)
    }

    @Test("a header is written as it is read")
    func header() throws {
        let bytes = try made()
        let header = try #require(bytes.withUnsafeBytes { TokenFileHeader($0) })
        #expect(header.bytes == Array(bytes[..<TokenFileHeader.byteCount]))
    }

    @Test("a file that was cut, or is longer than it says, is refused")
    func size() throws {
        let bytes = try made()
        for count in [0, 5, 127, 128, 4_096, bytes.count - 1] { #expect(try loads(Array(bytes[..<count])) == nil) }
        #expect(try loads(bytes + [0]) == nil)
    }

    @Test(
        "a header with another kind, version or a place outside of the file is refused",
        arguments: [0, 8, 12, 16, 20]
    )
    func kind(offset: Int) throws {
        var bytes = try made()
        bytes[offset] ^= 1
        #expect(try loads(bytes) == nil)
    }

    @Test(
        "places and sizes outside of the file are refused",
        arguments: [56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 124]
    )
    func offsets(offset: Int) throws {
        var bytes = try made()
        bytes[offset + 3] = 0xff
        #expect(try loads(bytes) == nil)
    }

    @Test("a damaged table counts wrong, and does no more")
    func damage() throws {
        var bytes = try made()
        var random = Seeded(3)
        for index in TokenFileHeader.byteCount..<bytes.count where random.below(3) == 0 {
            bytes[index] = UInt8(random.below(256))
        }
        let file = try #require(try loads(bytes))
        let text = String(repeating: "Some text, \u{6f22}\u{5b57} 12345 and more.\n  ", count: 20)
        for vocabulary in [file.o200k, file.cl100k] { #expect(vocabulary.count(text) > 0) }
    }

    @Test("no file is a failure that names it")
    func missing() {
        #expect { _ = try TokenFile(path: "/nowhere/relay.tokens") } throws: { error in
            (error as? TokenFile.Failure)?.reason.hasPrefix("/nowhere/relay.tokens: ") == true
        }
    }
}
