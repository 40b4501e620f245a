import Support
import Testing

@testable import Engine

private let half = "a whole character (this escape is half of one, such as of an emoji that was cut)"

@Suite struct JSONMistakeTests {
    private func mistake(_ text: String) -> JSONMistake? { Array(text.utf8).withUnsafeBytes { JSONMistake(in: $0) } }

    private func isParsed(_ bytes: [UInt8]) -> Bool {
        var buffer = ByteBuffer()
        bytes.withUnsafeBytes { buffer.append($0) }
        return (try? JSONParser().parse(buffer.bytes)) != nil
    }

    @Test(
        "the place of a mistake, and what is expected there",
        arguments: [
            (#"{"a":1,}"#, 7, "a name in double quotes"), (#"{'a':1}"#, 1, "a name in double quotes"),
            (#"{"a" 1}"#, 5, "a colon"), (#"{"a":1 "b":2}"#, 7, "a comma or }"), ("[1 2]", 3, "a comma or ]"),
            ("[1,]", 3, "a value"), ("['a']", 1, "a value (with double quotes around strings)"),
            ("{}x", 2, "the end of the body"),
            (#"{"a":"b"#, 7, "a closing double quote"), (#"{"a""#, 4, "a colon"), ("[1", 2, "a comma or ]"),
            (#"["\x"]"#, 3, #"an escape such as \n or \\"#), (#"["\u12x"]"#, 6, "four hexadecimal digits"),
            (#"["\ud83d"]"#, 2, half), (#"["a\ud83d\u0041"]"#, 3, half), (#"["\ude00\ud83d"]"#, 2, half),
            (#"["\ud83d\ude00"x]"#, 15, "a comma or ]"),
            ("[\"a\nb\"]", 3, #"a string without control characters (write a line end as \n)"#),
            ("[01]", 2, "a number without leading zeros"),
            ("[1.]", 3, "a digit"), ("[-]", 2, "a digit"), ("[1e]", 3, "a digit"), ("[tru]", 1, "a value"),
            ("None", 0, "a value"),
            ("\u{feff}{", 4, "a name in double quotes"), ("", 0, "a value"),
        ]
    )
    func offsets(text: String, offset: Int, expected: String) {
        let found = mistake(text)
        #expect(
            found?.offset == offset && found.map { "\($0.expected)" } == expected,
            "\(text): \(String(describing: found))"
        )
    }

    @Test("what a parser takes has no mistake, and what it refuses has one, however a text is cut or changed")
    func agreesWithParser() {
        let text = Array(#" {"a":[1,-2.5e+3,{"b":"c\u00e4\n"},[],{}],"d":true,"e":null,"f":"","g":[[false]]} "#.utf8)
        #expect(isParsed(text))
        let bytes = Array(#"{}[],:"\-+.019eE tfnu"#.utf8)
        for offset in 0...text.count {
            var changed = [Array(text[..<offset])]
            if offset < text.count {
                changed.append(Array(text[..<offset] + text[(offset + 1)...]))
                for byte in bytes { changed.append(text[..<offset] + [byte] + text[(offset + 1)...]) }
            }
            for text in changed {
                let found = text.withUnsafeBytes { JSONMistake(in: $0) }
                let shown = String(decoding: text, as: UTF8.self)
                #expect((found == nil) == isParsed(text), "\(shown): \(String(describing: found))")
                #expect(found.map { $0.offset <= text.count } ?? true)
            }
        }
    }

    @Test("a text that is nested very deeply is read no further")
    func deep() {
        #expect(mistake(String(repeating: "[", count: 100_000)) == nil)
        #expect(mistake(String(repeating: "[", count: 1_000))?.offset == 1_000)
    }
}
