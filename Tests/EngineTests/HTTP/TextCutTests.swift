import Engine
import Testing

@Suite struct TextCutTests {
    @Test(
        "a cut text is not longer, its characters are whole, and a short extension stays",
        arguments: [
            ("abcdef.txt", 10, "abcdef.txt"), ("abcdefg.txt", 10, "abcdef.txt"), ("abcdefghijk", 10, "abcdefghij"),
            ("\u{e4}\u{e4}\u{e4}.a", 6, "\u{e4}\u{e4}.a"), ("a\u{1f600}\u{1f600}", 8, "a\u{1f600}"),
            ("abcdefghij.0123456789abcdef", 20, "abcdefghij.012345678"), ("a.0123456789abcd", 15, "a.0123456789abc"),
            ("e\u{301}\u{301}\u{301}", 4, "e\u{301}"), ("ae\u{301}\u{301}", 4, "a"), (".abcdefghijklm", 4, ".abc"),
        ]
    )
    func cuts(_ text: String, _ limit: Int, _ expected: String) {
        #expect(text.cut(toBytes: limit).utf8.elementsEqual(expected.utf8))
    }

    @Test("for each length", arguments: ["a\u{e4}\u{4e2d}\u{1f600}.x\u{301}y", "\u{1f1e6}\u{1f1e6}.\u{1f1e6}"])
    func allLengths(_ text: String) {
        for limit in 0...(text.utf8.count + 1) {
            let cut = text.cut(toBytes: limit)
            #expect(cut.utf8.count <= max(limit, 0) && String(validating: cut.utf8, as: UTF8.self) != nil)
            let beginning = text.beginning(ofBytes: limit)
            #expect(text.utf8.starts(with: beginning.utf8) && beginning.utf8.count > limit - 4)
            #expect(!beginning.unicodeScalars.contains("\u{fffd}"))
        }
    }
}
