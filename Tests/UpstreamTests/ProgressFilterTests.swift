import Engine
import Support
import Testing

@testable import Upstream

@Suite struct ProgressFilterTests {
    @Test(
        "progress lines go, the rest stays, wherever it is cut",
        arguments: [
            ("", ""), ("plain", "plain"), ("a\n\nb\n", "a\n\nb\n"),
            ("\u{1f310} Crawling site http://a\nb", "b"),
            ("a\n\u{1f310} Crawling site x\n\u{1f310}Crawling site y\nb", "a\nb"),
            ("\u{1f310}\u{fe0f}  Crawling site x", ""),
            ("a \u{1f310} Crawling site x\nb", "a \u{1f310} Crawling site x\nb"),
            ("\u{1f310} Crawling sit\u{e9}\nb", "\u{1f310} Crawling sit\u{e9}\nb"),
            ("\u{1f310}\n\u{1f310}", "\u{1f310}\n\u{1f310}"),
            ("\u{1f30d} Crawling site x", "\u{1f30d} Crawling site x"), ("\u{1f310} Craw", "\u{1f310} Craw"),
            ("Crawling site x", "Crawling site x"), ("\u{1f310} Crawling site x\n\n\nb", "\n\nb"),
        ]
    )
    func filters(_ text: String, _ expected: String) {
        for pieces in cuttings(of: Array(text.utf8)) {
            var filter = ProgressFilter()
            var out: [UInt8] = []
            for piece in pieces { piece.withUnsafeBytes { filter.consume($0) { out += $0 } } }
            filter.finish { out += $0 }
            #expect(String(decoding: out, as: UTF8.self) == expected, "\(pieces.count) pieces")
        }
    }

    @Test("what cannot be progress passes at once")
    func passesAtOnce() {
        var filter = ProgressFilter()
        var out = ""
        for piece in ["a", "\n", "\u{1f310}", " C", "x", "y"] {
            withBytes(piece) { filter.consume($0) { out += $0.text } }
            out += "|"
        }
        #expect(out == "a|\n|||\u{1f310} Cx|y|")
    }
}
