import Support
import Testing

@testable import Engine

@Suite struct JSONWriterTests {
    @Test(
        "each ASCII byte at each place is read back, on both sides of each bound",
        arguments: [1, 7, 8, 9, 31, 32, 33, 41, 64, 73]
    )
    func eachByte(length: Int) throws {
        let parser = JSONParser()
        for byte in 0..<128 as Range<UInt8> {
            for offset in 0..<length {
                var text = [UInt8](repeating: 97, count: length)
                text[offset] = byte
                let back = try readBack(text, parser)
                if back != text { Issue.record("byte \(byte) at \(offset) of \(length): \(back)") }
            }
        }
    }

    @Test("two bytes that need an escape, at each distance")
    func twoEscapes() throws {
        let parser = JSONParser()
        for (one, other) in [(34, 34), (92, 34), (0, 92), (31, 10), (92, 92)] as [(UInt8, UInt8)] {
            for length in [8, 24, 40, 70] {
                for first in 0..<length {
                    for second in 0..<length {
                        var text = [UInt8](repeating: 0x7f, count: length)
                        text[first] = one
                        text[second] = other
                        let back = try readBack(text, parser)
                        if back != text { Issue.record("\(one) at \(first), \(other) at \(second) of \(length)") }
                    }
                }
            }
        }
    }

    @Test("random texts of any characters are read back", arguments: 0..<10 as Range<UInt64>)
    func randomTexts(seed: UInt64) throws {
        var random = Seeded(seed)
        let alphabet: [Unicode.Scalar] = [
            "a", "\"", "\\", "\n", "\0", "\u{7f}", "\u{80}", "\u{e4}", "\u{2028}", "\u{4e2d}", "\u{1f310}", "/",
        ]
        let parser = JSONParser()
        for _ in 0..<50 {
            var text = String.UnicodeScalarView()
            for _ in 0..<random.below(120) { text.append(random.pick(alphabet)) }
            let bytes = Array(String(text).utf8)
            #expect(try readBack(bytes, parser) == bytes)
        }
    }

    @Test("text that is empty, and text after other bytes")
    func joins() {
        var buffer = ByteBuffer("[")
        buffer.append(json: "")
        buffer.append(",")
        buffer.append(json: "a\"b\u{1}\n")
        let text = buffer.text
        #expect(text == #"["","a\"b\u0001\n""#)
    }

    @Test(
        "long texts are the same with what stands around them, on both sides of each part",
        arguments: [255, 256, 257, 600]
    )
    func longTexts(length: Int) throws {
        let parser = JSONParser()
        for offset in [0, 1, 247, 248, 254, 255, 256, 257, length - 1] where offset < length {
            var text = [UInt8](repeating: 97, count: length)
            text[offset] = 34
            let back = try readBack(text, parser)
            #expect(back == text)
            var buffer = ByteBuffer()
            text.withUnsafeBytes { buffer.append(UnsafeRawBufferPointer("[\""), jsonContent: $0, "\"]") }
            let inside = try parser.parse(buffer.bytes).elements?.first { _ in true }?.text.map { Array($0) }
            #expect(inside == text)
        }
    }

    /// Writes a text, and returns it as simdjson reads it.
    private func readBack(_ text: [UInt8], _ parser: JSONParser) throws -> [UInt8]? {
        var buffer = ByteBuffer()
        text.withUnsafeBytes { buffer.append(json: $0) }
        let (alone, count) = (buffer.bytes.dropFirst().dropLast().map { $0 }, buffer.count)
        var around = ByteBuffer()
        text.withUnsafeBytes { around.append(UnsafeRawBufferPointer("x"), jsonContent: $0, "yz") }
        let (written, length) = (Array(around.bytes), around.count)
        #expect(written == [120] + alone + [121, 122] && length == count + 1)
        return try parser.parse(buffer.bytes).text.map { Array($0) }
    }
}
