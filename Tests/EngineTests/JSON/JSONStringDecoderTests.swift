import Support
import Testing

@testable import Engine

@Suite struct JSONStringDecoderTests {
    @Test("what it takes, the parser reads in the same way", arguments: 0..<10 as Range<UInt64>)
    func agreesWithParser(seed: UInt64) {
        var random = Seeded(seed)
        let parser = JSONParser()
        var texts = JSONStringDecoder()
        let parts: [[UInt8]] = [
            "a", "cdefghij", " ", #"\n"#, #"\""#, #"\\"#, #"\/"#, #"\b\f\r\t"#, "\u{e4}", "\u{1f310}",
        ]
        .map { Array($0.utf8) }
        let odd: [[UInt8]] = [
            [34], [92], [10], [0], [0x80], [0xff], [0xc3], Array(#"\u00e9"#.utf8), Array(#"\x"#.utf8),
        ]
        for _ in 0..<300 {
            var written: [UInt8] = []
            for _ in 0..<random.below(8) { written += random.pick(parts) }
            let isOdd = random.below(3) == 0
            if isOdd { written += random.pick(odd) }
            if random.below(2) == 0 { written += random.pick(parts) }
            var buffer = ByteBuffer("\"")
            written.withUnsafeBytes { buffer.append($0) }
            buffer.append("\"")
            let read = try? parser.parse(buffer.bytes).text.map { Array($0) }
            let taken = written.withUnsafeBytes { texts.text($0).map { Array($0) } }
            if let taken { #expect(taken == read, "\(written)") }
            if taken == nil { #expect(isOdd, "\(written)") }
        }
    }
}
