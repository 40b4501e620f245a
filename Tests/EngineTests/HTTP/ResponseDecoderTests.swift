import Engine
import Support
import Testing

@Suite struct ResponseDecoderTests {
    @Test("good answers are read, wherever they are cut", arguments: goodAnswers)
    func reads(_ row: ResponseRow) {
        for pieces in cuttings(of: Array(row.text.utf8)) { #expect(read(pieces) == row.outcome, "\(pieces)") }
    }

    @Test("an answer that ends early is cut, at whichever byte", arguments: goodAnswers)
    func endsEarly(_ row: ResponseRow) {
        let bytes = Array(row.text.utf8)
        for end in 0..<bytes.count {
            let outcome = read([Array(bytes[..<end])])
            #expect(outcome.isDone == (row.outcome.isOpen && outcome.status != nil), "of \(end) bytes")
        }
    }

    @Test("bad answers are refused, wherever they are cut", arguments: badAnswers)
    func refuses(_ text: String) {
        for pieces in cuttings(of: Array(text.utf8)) { #expect(read(pieces).isRefused, "\(pieces)") }
    }

    @Test("what follows an answer is refused", arguments: goodAnswers.filter { !$0.outcome.isOpen })
    func followed(_ row: ResponseRow) {
        for more in ["\r\n", "x", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
            #expect(read([Array((row.text + more).utf8)]).isRefused)
        }
    }

    @Test("a byte that may not stand in a head is refused", arguments: 0..<33 as Range<UInt8>)
    func controls(_ byte: UInt8) {
        let mayStand = byte == 9 || byte == 32
        let end = Array("c\r\nContent-Length: 0\r\n\r\n".utf8)
        #expect(read([Array("HTTP/1.1 200 OK\r\nX: b".utf8) + [byte] + end]).isRefused != mayStand)
        #expect(read([Array("HTTP/1.1 200 a".utf8) + [byte] + end]).isRefused != mayStand)
        #expect(read([Array("HTTP/1.1 200 OK\r\nX".utf8) + [byte] + Array(": ".utf8) + end]).isRefused)
    }

    @Test("a head may be 65,536 bytes and no more, with its informational answers and in one piece or many")
    func boundsHead() {
        let begin = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
        for (before, over) in [("", 0), ("", 1), ("HTTP/1.1 103 Hints\r\n\r\n", 0), ("HTTP/1.1 103 Hints\r\n\r\n", 1)] {
            let fill = ResponseHeadParser.headLimitBytes - begin.utf8.count - before.utf8.count - 4 + over
            let bytes = Array((before + begin + String(repeating: "x", count: fill) + "\r\n\r\n").utf8)
            #expect(read([bytes]).isRefused == (over == 1))
            #expect(read(bytes.map { [$0] }).isRefused == (over == 1))
        }
        let endless = Array(("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000)).utf8)
        #expect(read([endless]).isRefused)
        let fields = String(repeating: "A: b\r\n", count: 257)
        #expect(read([Array("HTTP/1.1 200 OK\r\n\(fields)\r\n".utf8)]).isRefused)
    }

    @Test("informational answers are skipped, but not without end", arguments: [0, 1, 16, 17, 100_000])
    func informational(count: Int) {
        let flood = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: count)
        let outcome = read([Array((flood + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").utf8)])
        #expect(outcome == (count <= 16 ? Outcome(status: 200, body: "hi", isDone: true) : Outcome(isRefused: true)))
    }
}

struct ResponseRow: Sendable {
    let text: String
    let outcome: Outcome

    init(_ text: String, _ outcome: Outcome) {
        self.text = text
        self.outcome = outcome
    }
}

struct Outcome: Equatable, Sendable {
    var status: Int?
    var texts: [String] = []
    var body = ""
    var isKeepAlive = true
    var isOpen = false
    var isDone = false
    var isRefused = false
}

private let goodAnswers = [
    ResponseRow("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Outcome(status: 200, body: "hello", isDone: true)),
    ResponseRow("HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", Outcome(status: 200, isDone: true)),
    ResponseRow(
        "HTTP/1.1 429 Too Many\r\nRETRY-AFTER: 7\r\nRetry-After-Ms: 900\r\nContent-Type: a/b;c\r\nContent-Length: 1\r\n\r\n!",
        Outcome(status: 429, texts: ["a/b;c", "7", "900"], body: "!", isDone: true)
    ),
    ResponseRow(
        "HTTP/1.1 302 Found\r\nLocation:\t/x \r\nContent-Length: 0\r\n\r\n",
        Outcome(status: 302, texts: ["/x"], isDone: true)
    ),
    ResponseRow(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x\r\n!\r\n0\r\nT: x\r\n\r\n",
        Outcome(status: 200, body: "hello!", isDone: true)
    ),
    ResponseRow("HTTP/1.1 204 No Content\r\n\r\n", Outcome(status: 204, isDone: true)),
    ResponseRow("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Outcome(status: 304, isDone: true)),
    ResponseRow(
        "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na",
        Outcome(status: 200, body: "a", isKeepAlive: false, isDone: true)
    ),
    ResponseRow(
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        Outcome(status: 200, body: "a", isKeepAlive: false, isDone: true)
    ),
    ResponseRow(
        "HTTP/1.1 200 \u{e4}\r\n\r\nuntil the end",
        Outcome(status: 200, body: "until the end", isKeepAlive: false, isOpen: true, isDone: true)
    ),
    ResponseRow(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        Outcome(status: 200, body: "a", isDone: true)
    ),
]

private let badAnswers = [
    "rubbish\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 +20 x\r\n\r\n",
    "HTTP/1.1 101 Switching\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n X: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "HTTP/1.1 200 OK\r\n: a\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
]

/// Decodes a response. The connection ends after the last chunk.
private func read(_ pieces: [[UInt8]]) -> Outcome {
    var decoder = ResponseDecoder()
    var body = ByteBuffer()
    var outcome = Outcome()
    for piece in pieces where !outcome.isRefused {
        piece.withUnsafeBytes { bytes in
            do throws(MalformedResponse) {
                try decoder.consume(bytes, into: &body) { head, bytes in
                    outcome.status = head.status
                    outcome.isKeepAlive = head.isKeepAlive
                    outcome.isOpen = head.length == .open
                    outcome.texts = [head.contentType, head.location, head.retryAfter, head.retryAfterMilliseconds]
                        .map { bytes[part: $0.range].text }.filter { !$0.isEmpty }
                }
            } catch {
                outcome = Outcome(isRefused: true)
            }
        }
    }
    if outcome.isRefused { return outcome }
    outcome.isDone = decoder.end()
    outcome.body = body.text
    return outcome
}
