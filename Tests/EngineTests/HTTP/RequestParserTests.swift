import Engine
import Support
import Testing

@Suite struct RequestParserTests {
    @Test("good heads are read, however they come", arguments: goodHeads)
    func readsGoodHeads(_ row: HeadRow) {
        let bytes = Array(row.text.utf8)
        #expect(read(bytes) == row.outcome)
        for end in 0..<bytes.count { #expect(read(Array(bytes[..<end])) == .incomplete, "of \(end) bytes") }
        #expect(read(bytes + Array("GET / HTT".utf8)) == row.outcome, "with what follows")
    }

    @Test("bad heads are refused with the same status, however they come", arguments: badHeads)
    func refusesBadHeads(_ row: HeadRow) {
        let bytes = Array(row.text.utf8)
        #expect(read(bytes) == row.outcome)
        let grown = (0...bytes.count).lazy.map { read(Array(bytes[..<$0])) }.first { $0 != .incomplete }
        #expect(grown == row.outcome, "byte by byte")
    }

    @Test(
        "a byte that may not stand in a head is refused, wherever it stands",
        arguments: Array(0..<33 as Range<UInt8>) + [127]
    )
    func refusesControls(_ byte: UInt8) {
        let mayStand = byte == 9 || byte == 32
        for offset in 0..<20 {
            var long = [UInt8](repeating: 0xe4, count: 20)
            long[offset] = byte
            let head = Array("GET / HTTP/1.1\r\nHost: a\r\nX: b\tb".utf8) + long + Array("c\r\n\r\n".utf8)
            #expect((read(head) == .refused(400)) == !mayStand)
            let plain = Array("GET / HTTP/1.1\r\nHost: a\r\nX: b".utf8) + long + Array("c\r\n\r\n".utf8)
            #expect((read(plain) == .refused(400)) == !mayStand)
        }
        let value = Array("GET / HTTP/1.1\r\nHost: a\r\nX: b".utf8) + [byte] + Array("c\r\n\r\n".utf8)
        #expect((read(value) == .refused(400)) == !mayStand)
        let name = Array("GET / HTTP/1.1\r\nHost: a\r\nX".utf8) + [byte] + Array("Y: c\r\n\r\n".utf8)
        #expect(read(name) == .refused(400))
        let target = Array("GET /a".utf8) + [byte] + Array("b HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(read(target) == .refused(400))
    }

    @Test("a head may be 32,768 bytes and no more", arguments: [0, 1])
    func boundsHead(over: Int) {
        let begin = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let fill = RequestParser.headLimitBytes - begin.utf8.count - 4 + over
        let bytes = Array((begin + String(repeating: "x", count: fill) + "\r\n\r\n").utf8)
        #expect(bytes.count == 32_768 + over)
        let expected: ParsedRequest = over == 0 ? .head(Facts("GET", "/", bytes: bytes.count)) : .refused(431)
        #expect(read(bytes) == expected)
        var endless = Array(begin.utf8)
        endless += [UInt8](repeating: 120, count: RequestParser.headLimitBytes - endless.count + over)
        #expect(read(endless) == (over == 0 ? .incomplete : .refused(431)), "no end in sight")
    }

    @Test("a target may be 8,192 bytes and no more", arguments: [0, 1])
    func boundsTarget(over: Int) {
        let target = "/" + String(repeating: "t", count: RequestParser.targetLimitBytes - 1 + over)
        let bytes = Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        let expected: ParsedRequest = over == 0 ? .head(Facts("GET", target, bytes: bytes.count)) : .refused(414)
        #expect(read(bytes) == expected)
        let endless = Array("GET /".utf8) + [UInt8](repeating: 116, count: 8_300)
        #expect(read(endless) == .refused(414), "no end in sight")
    }

    @Test("a head may have 100 fields and no more", arguments: [0, 1])
    func boundsFields(over: Int) {
        let fields = (0..<(99 + over)).map { "X-\($0): y\r\n" }.joined()
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
        #expect(read(bytes) == (over == 0 ? .head(Facts("GET", "/", bytes: bytes.count)) : .refused(431)))
    }

    @Test(
        "each kept field is found by its name, in any case, and of two the first counts",
        arguments: HeaderField.allCases
    )
    func keepsFields(_ field: HeaderField) throws {
        let single: [HeaderField] = [
            .host, .contentLength, .transferEncoding, .expect, .authorization, .xAPIKey, .apiKey, .xGoogAPIKey,
        ]
        guard !single.contains(field) else { return }
        let name = "\(field.name)"
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\(name.uppercased()): \t one \t\r\n\(name): two\r\n\r\n"
        var head = RequestHead()
        let value = try text.utf8.withContiguousStorageIfAvailable { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            _ = try RequestParser.parse(bytes, into: &head)
            return bytes[part: head[field].range].text
        }
        #expect(value == "one")
    }

    @Test(
        "a key may be given in one line of each name, even if one of two is empty",
        arguments: ["authorization", "x-api-key", "API-Key", "x-goog-api-key"],
        [("one", "two"), ("one", "one"), ("", "one"), ("one", "")]
    )
    func refusesTwoKeys(_ name: String, _ values: (String, String)) {
        let lines = "\(name): \(values.0)\r\n\(name.uppercased()): \(values.1)\r\n"
        #expect(read(Array("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)) == .refused(400))
    }
}

struct HeadRow: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let outcome: ParsedRequest
    var testDescription: String { name }
}

enum ParsedRequest: Equatable {
    case incomplete
    case head(Facts)
    case refused(Int)
}

struct Facts: Equatable {
    var method: String
    var path: String
    var bytes: Int
    var length: Int?
    var isChunked = false
    var isHTTP11 = true
    var isKeepAlive = true
    var expectsContinue = false

    init(_ method: String, _ path: String, bytes: Int) {
        self.method = method
        self.path = path
        self.bytes = bytes
    }
}

private func read(_ bytes: [UInt8]) -> ParsedRequest {
    bytes.withUnsafeBytes { bytes in
        var head = RequestHead()
        do throws(RequestError) {
            guard let length = try RequestParser.parse(bytes, into: &head) else { return .incomplete }
            var facts = Facts("\(head.method.name)", bytes[part: head.path.range].text, bytes: length)
            facts.length = head.contentLength
            facts.isChunked = head.isChunked
            facts.isHTTP11 = head.isHTTP11
            facts.isKeepAlive = head.isKeepAlive
            facts.expectsContinue = head.expectsContinue
            return .head(facts)
        } catch {
            return .refused(error.status)
        }
    }
}

private func good(
    _ name: String,
    _ text: String,
    _ method: String,
    _ path: String,
    _ change: (inout Facts) -> Void = { _ in }
) -> HeadRow {
    var facts = Facts(method, path, bytes: text.utf8.count)
    change(&facts)
    return HeadRow(name: name, text: text, outcome: .head(facts))
}

private func bad(_ name: String, _ status: Int, _ text: String) -> HeadRow {
    HeadRow(name: name, text: text, outcome: .refused(status))
}

private let goodHeads: [HeadRow] = [
    good("plain", "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/v1/models"),
    good("an empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/"),
    good("a query", "GET /a?b=c&d=/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a"),
    good("absolute form", "GET http://b:1/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/c"),
    good("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*"),
    good("a length", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n", "POST", "/a") { $0.length = 12 },
    good("length 0", "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "PUT", "/a") { $0.length = 0 },
    good("chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", "POST", "/") {
        $0.isChunked = true
    },
    good("close", "PATCH / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", "PATCH", "/") { $0.isKeepAlive = false },
    good("close in a list", "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: te, close\r\n\r\n", "DELETE", "/") {
        $0.isKeepAlive = false
    },
    good("100-continue", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", "POST", "/") {
        $0.expectsContinue = true
    },
    good("HTTP/1.0 without Host", "HEAD / HTTP/1.0\r\n\r\n", "HEAD", "/") {
        $0.isHTTP11 = false
        $0.isKeepAlive = false
    },
    good("HTTP/1.0 is not continued", "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "POST", "/") {
        $0.isHTTP11 = false
        $0.isKeepAlive = false
    },
    good("no space after the colon, an empty value", "GET / HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n", "GET", "/"),
    good("a host by address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET", "/"),
    good("bytes past ASCII in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e4}\r\n\r\n", "GET", "/"),
]

private let badHeads: [HeadRow] = [
    bad("TLS", 400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}"),
    bad("two empty lines before", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a lower-case method is none", 501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("an unknown method", 501, "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a known method that is not served", 405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a tunnel", 405, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a long method", 400, "GETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("HTTP/2", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    bad("HTTP/1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    bad("HTTP/0.9", 400, "GET /\r\n\r\n"),
    bad("no version", 400, "GET / HTTQ/1.1\r\nHost: a\r\n\r\n"),
    bad("a space too many", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("bare line feeds", 400, "GET / HTTP/1.1\nHost: a\n\n"),
    bad("a bare line feed among fields", 400, "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    bad("no host", 400, "GET / HTTP/1.1\r\nX: a\r\n\r\n"),
    bad("two hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    bad("an empty host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    bad("a list of hosts", 400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
    bad("a host with a user", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    bad("a port that is no number", 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    bad("a space before the colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    bad("no colon", 400, "GET / HTTP/1.1\r\nHost\r\n\r\n"),
    bad("no name", 400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
    bad("a folded line", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    bad("two lengths", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
    bad("a list of lengths", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"),
    bad("a signed length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"),
    bad("a negative length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    bad("an empty length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    bad("a hexadecimal length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"),
    bad("a length past all bounds", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    bad(
        "length and chunks",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    bad(
        "chunks and length",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
    ),
    bad(
        "chunked twice",
        400,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    bad("chunked, chunked", 400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"),
    bad("gzip", 400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    bad("an unknown coding", 501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
    bad("chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    bad("a host of two words", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    bad("a host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    bad("a host with two ports", 400, "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
    bad("a host whose bracket is open", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    bad("a host that is no address", 400, "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n"),
    bad("a host with more behind its bracket", 400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
    bad("a port alone", 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    bad("a host in quotes", 400, "GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n"),
    bad("a host with a query", 400, "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
    bad("a host with a fragment", 400, "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"),
    bad("a host with a backslash", 400, "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"),
    bad("a URL as the host", 400, "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"),
    bad("different lengths in a list", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 3\r\n\r\n"),
    bad("a negative zero", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n"),
    bad("a length with a unit", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2x\r\n\r\n"),
    bad("a length that is no number", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
    bad("a fraction as the length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2.0\r\n\r\n"),
    bad("a power as the length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\n"),
    bad("two numbers as the length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2 2\r\n\r\n"),
    bad("commas as the length", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ,\r\n\r\n"),
    bad("a length in quotes", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \"2\"\r\n\r\n"),
    bad("a length past 63 bits", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"),
    bad("a length past 64 bits", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551618\r\n\r\n"),
    bad("two different lengths", 400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\ncontent-length: 0\r\n\r\n"),
    bad("a space in a name", 400, "GET / HTTP/1.1\r\nHost: a\r\nX Test: 1\r\n\r\n"),
    bad("a separator in a name", 400, "GET / HTTP/1.1\r\nHost: a\r\nX(Test): 1\r\n\r\n"),
    bad("a name beyond ASCII", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: 1\r\n\r\n"),
    bad("a tab before the colon", 400, "GET / HTTP/1.1\r\nHost: a\r\nX\t: 1\r\n\r\n"),
    bad("a line that a tab folds", 400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
    bad("a space before a name", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    bad("a folded first line", 400, "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"),
    bad("a bare line feed after the request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    bad("a bare line feed at the end", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    bad("an empty line of a bare line feed before", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a method alone", 400, "GET\r\nHost: a\r\n\r\n"),
    bad("tabs in the request line", 400, "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a space after the version", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    bad("a space before the method", 400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a space too many before the version", 400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a version in small letters", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    bad("a version with a comma", 400, "GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
    bad("a version with more", 400, "GET / HTTP/1.1x\r\nHost: a\r\n\r\n"),
    bad("a version without a point", 400, "GET / HTTP/11\r\nHost: a\r\n\r\n"),
    bad("a space in the target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("a method with a separator", 400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("another protocol", 400, "SSH-2.0-client\r\nHost: a\r\n\r\n"),
    bad("a word", 400, "PING\r\nHost: a\r\n\r\n"),
    bad("a count of words", 400, "*1\r\nHost: a\r\n\r\n"),
    bad("an unknown expectation", 400, "POST / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n"),
]
