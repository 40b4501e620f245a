import Support
import Testing

@testable import Engine

@Suite struct RequestTargetTests {
    @Test(
        "a target's path is found, and made plain",
        arguments: [
            ("/", "/"), ("/v1/models", "/v1/models"), ("/a?b", "/a"), ("/a/?b/", "/a"), ("/a?b=%00", "/a"),
            ("//a///b//", "/a/b"), ("/a/", "/a"), ("//a", "/a"), ("///", "/"), ("/%61%2Fb", "/a/b"), ("/a%20b", "/a b"),
            ("/%C3%A4", "\u{e4}".withSlash), ("/a%2F", "/a"), ("/a.b/..c/...", "/a.b/..c/..."), ("/a/.", "/a/."),
            ("http://h", "/"), ("http://h?q", "/"), ("HTTP://h/a", "/a"), ("https://h:1/a/", "/a"),
            ("http://[::1]:80/a", "/a"), ("/http://h/a", "/http:/h/a"), ("/a%25b", "/a%b"),
        ]
    )
    func findsPath(_ target: String, _ path: String) throws {
        let found = try read(target)
        #expect(found.path == path)
        #expect(found.isPlain == (found.raw == path), "plain means: nothing to be changed")
    }

    @Test(
        "what is no target is refused",
        arguments: [
            "", "a", "*", "ftp://h/", "http:/h", "http://", "http:///a", "http://u@h/", "http://h:x/", "/#a", "/a#",
            "/a?b#c", "/%", "/%4", "/%4g", "/%zz", "/%00", "/%1f", "/%7F", "/%0A", "/a?%", "/a?%4", "/a b", "/\u{7f}",
            "/\u{e4}", "/..", "/../a", "/a/..", "/a/../b", "/%2e%2E", "/a%2f..", "/..%2Fa", "//..", "http://h/../a",
        ]
    )
    func refuses(_ target: String) {
        #expect(throws: RequestError.self) { try read(target) }
    }

    @Test("only OPTIONS knows the asterisk")
    func asterisk() throws {
        let star: [UInt8] = [42]
        let found = try star.withUnsafeBytes { try RequestTarget.path($0, method: .options) }
        #expect(found.range == 0..<1)
        #expect(throws: RequestError.self) { try star.withUnsafeBytes { try RequestTarget.path($0, method: .get) } }
    }

    private func read(_ target: String) throws -> (raw: String, path: String, isPlain: Bool) {
        try Array(target.utf8).withUnsafeBytes { bytes in
            let found = try RequestTarget.path(bytes, method: .get)
            var path = ByteBuffer("kept")
            RequestTarget.normalise(bytes[part: found.range], into: &path)
            return (bytes[part: found.range].text, String(path.text.dropFirst(4)), found.isPlain)
        }
    }
}

extension String {
    fileprivate var withSlash: String { "/" + self }
}
