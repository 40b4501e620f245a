import Testing

@testable import Engine

@Suite struct ByteScanTests {
    @Test("white space is what Unicode says it is")
    func spaces() {
        for value in (0...0x3100 as ClosedRange<UInt32>) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let bytes = ByteBuffer(String(scalar))
            let length = scalar.properties.isWhitespace ? bytes.count : 0
            #expect(ByteScan.spaceLength(bytes.bytes, 0) == length, "U+\(String(value, radix: 16))")
        }
    }

    @Test(
        "a character that is cut is no white space",
        arguments: [[0xc2], [0xe2, 0x80], [0xe3], [0xe1, 0x9a]] as [[UInt8]]
    )
    func cut(_ bytes: [UInt8]) { bytes.withUnsafeBytes { #expect(ByteScan.spaceLength($0, 0) == 0) } }

    @Test("words, one by one")
    func words() {
        let text = ByteBuffer(" a\u{a0}bc\n\u{3000}d\u{301} ")
        var scan = ByteScan(text.bytes)
        var words: [String] = []
        while case let word = scan.word(), !word.isEmpty { words.append(text.bytes[part: word].text) }
        #expect(words == ["a", "bc", "d\u{301}"])
        #expect(scan.isAtEnd)
    }

    @Test(
        "what is looked for is found where it stands first",
        arguments: [("", 0), ("!!![x", 4), ("!!", 2), ("a![", 3)]
    )
    func finds(_ text: String, _ offset: Int) {
        let bytes = ByteBuffer(text)
        var scan = ByteScan(bytes.bytes)
        #expect(scan.find("![") == text.contains("!["))
        #expect(scan.offset == offset)
    }

    @Test("steps are counted in debug builds")
    func counts() {
        let bytes = ByteBuffer(String(repeating: "a", count: 100))
        let steps = StepCount.of {
            var scan = ByteScan(bytes.bytes)
            _ = scan.word()
        }
        #expect((100...110).contains(steps))
    }
}
