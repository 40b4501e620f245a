import Testing

@testable import Shared

@Suite struct FileLabelTests {
    private func label(_ name: String, _ claimed: String?, _ content: [UInt8]) -> FileLabel {
        content.withUnsafeBytes { FileLabel(name, claimed: claimed, beginning: $0) }
    }

    @Test(
        "a vendor is told a name and a type that fit the content",
        arguments: [
            ("a.TXT", "text/plain", "x", "a.TXT", "text/plain"),
            ("a.md", "text/markdown", "x", "a.md.txt", "text/plain"),
            ("a", nil, "{}", "a.json", "application/json"), ("a.jsonl", nil, "{}", "a.jsonl.txt", "text/plain"),
            ("a.csv", nil, "{}", "a.csv", "text/csv"), ("a.", nil, "x", "a.txt", "text/plain"),
            (".", nil, "x", "file.txt", "text/plain"), (".env", nil, "x", "env.txt", "text/plain"),
            ("a.pdf", "x", "%PDF-1", "a.pdf", "application/pdf"), ("a.txt", "x", "%PDF-1", "a.pdf", "application/pdf"),
            ("a", "text/plain", "\u{0}", "a.txt", "text/plain"), ("a.x", "y/z", "\u{0}", "a.x", "y/z"),
            ("a", nil, "\u{0}", "a.bin", "application/octet-stream"),
            ("a.xlsx", "y/z", "PK\u{3}\u{4}", "a.xlsx", "y/z"),
            ("a.zip", "y/z", "PK\u{3}\u{4}", "a.zip", "application/zip"),
            ("a/b%c\u{7}?é漢.txt", nil, "x", "a_b_c__é漢.txt", "text/plain"),
        ] as [(String, String?, String, String, String)]
    )
    func fits(_ name: String, _ claimed: String?, _ content: String, _ sent: String, _ type: String) {
        #expect(label(name, claimed, Array(content.utf8)) == FileLabel(name: sent, contentType: type))
    }

    @Test("a long name is cut, and keeps its extension")
    func cuts() {
        let name = label(String(repeating: "é", count: 200) + ".csv", nil, Array("a,b".utf8)).name
        #expect(name.utf8.count <= 100 && name.hasSuffix("é.csv"))
    }
}
