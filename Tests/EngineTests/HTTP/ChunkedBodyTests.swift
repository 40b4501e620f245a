import Support
import Testing

@testable import Engine

@Suite struct ChunkedBodyTests {
    @Test(
        "good bodies are decoded, wherever they are cut",
        arguments: [
            ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
            ("00005\r\nhello\r\n000\r\n\r\n", "hello"), ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
            ("1;x=y\r\na\r\n0;z\r\n\r\n", "a"), ("1\r\na\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", "a"),
        ]
    )
    func decodes(_ text: String, _ data: String) {
        for pieces in cuttings(of: Array(text.utf8)) {
            let result = decode(pieces)
            #expect(result == DecodedBody(data: data, taken: text.utf8.count, isDone: true), "\(pieces)")
        }
        let followed = decode([Array((text + "GET / HTTP/1.1").utf8)])
        #expect(followed.taken == text.utf8.count, "what follows is not touched")
    }

    @Test(
        "bad bodies are refused, wherever they are cut",
        arguments: [
            "\r\n", "g\r\n", "5\nhello", "5\r\nhelloX", "5\r\nhello\n", "5\r\nhello\r0", "-1\r\na", "+1\r\na",
            " 1\r\na",
            "1 \r\na", "0x1\r\na", "1234567890123456\r\n", ";a\r\n", "1;\u{1}\r\na", "1;\u{7f}\r\na",
            "0\r\nbad\r\n\r\n",
            "0\r\n: a\r\n\r\n", "0\r\na : b\r\n\r\n", "0\r\n\n", "0\n\r\n", "1\r\na\r\n\r\n",
            "ffffffffffffffff\r\n", "8000000000000000\r\n", "0000000000000000000000000001\r\na", "1\rXa\r\n",
            "1;a\u{0}\r\na",
            "1;a\rb\r\na", "1;a\na", "0\r\n a: b\r\n\r\n", "0\r\na: \u{0}\r\n\r\n", "0\r\na: b\n\r\n",
        ]
    )
    func refuses(_ text: String) {
        for pieces in cuttings(of: Array(text.utf8)) { #expect(decode(pieces).isRefused, "\(pieces)") }
    }

    @Test("a size line and a trailer are bounded, with an end in sight or not", arguments: ["1;", "0\r\nA: "])
    func boundsLines(_ begin: String) {
        let long = begin + String(repeating: "x", count: RequestParser.headLimitBytes + 400)
        #expect(decode([Array(long.utf8)]).isRefused)
        #expect(decode([Array((long + "\r\n").utf8)]).isRefused)
        let many = "0\r\n" + String(repeating: "A: b\r\n", count: RequestParser.headLimitBytes / 6 + 1)
        #expect(decode([Array(many.utf8)]).isRefused)
    }

    @Test("random bodies come out as they went in")
    func roundTrip() {
        var random = Seeded(1)
        for _ in 0..<50 {
            let data = (0..<random.below(3_000)).map { _ in random.pick(Array("ab\r\n0;".utf8)) }
            var text: [UInt8] = []
            for piece in pieces(of: data, most: 1 + random.below(600), &random) {
                text += Array(String(piece.count, radix: 16).utf8) + [13, 10] + piece + [13, 10]
            }
            text += Array("0\r\n\r\n".utf8)
            let result = decode(pieces(of: text, most: 1 + random.below(200), &random))
            let expected = String(decoding: data, as: UTF8.self)
            #expect(result == DecodedBody(data: expected, taken: text.count, isDone: true))
        }
    }
}

private struct DecodedBody: Equatable {
    var data = ""
    var taken = 0
    var isDone = false
    var isRefused = false
}

/// Decodes chunks. Bytes that are not consumed are passed again with the next chunk, as a connection does it.
private func decode(_ pieces: [[UInt8]]) -> DecodedBody {
    var decoder = ChunkedBody()
    var body = ByteBuffer()
    var waiting: [UInt8] = []
    var result = DecodedBody()
    for piece in pieces where !result.isRefused {
        waiting += piece
        let taken = waiting.withUnsafeBytes { try? decoder.consume($0, into: &body) }
        result.isRefused = taken == nil
        waiting.removeFirst(taken ?? 0)
        result.taken += taken ?? 0
    }
    result.isDone = decoder.isDone
    result.data = body.text
    return result
}
