/// Texts that make careless parsers slow: beginnings that are repeated and never completed, and characters that combine
/// with their neighbours.
package enum Hostile {
    package static let patterns: [String] = [
        "[", "]", "![](", "![", "](", "![](http://", "[_V1_]", "[_V", "/v1 ", "/v1 http://", "(", "{", "<", "</", "<a>",
        "<![CDATA[", "!", "!a=1 ", "?", " ", "\t", "\n", "\r\n", "\u{a0}", "\u{3000}", "```", "`", "~~~", "~", "#", "*",
        "--", "--no ", "--ar ", "\u{2014}", "-", "\\", "\\u", "\"", "'", ".", "..", "a.", "../", "/", "%2e", "%", ";",
        ",",
        ":", "=", "&", "data:", "\u{1f310}", "\u{1f310} ", "\u{1f310}\n", "\u{1f310} Crawling site ",
        "\u{1f310} Crawling",
        "\u{1f1e6}", "\u{301}\u{327}", "\u{327}", "a\u{301}\u{327}", "\u{fe0f}", "\u{200d}", "\u{1f468}\u{200d}",
        "\u{1100}", "\u{1161}", "\u{e4}", "\u{4e2d}", "\u{0}", "\u{feff}", "0", "9", "a", "x", "1x", "1:",
    ]

    /// Returns a pattern repeated to `bytes` bytes, or a few fewer.
    package static func text(_ pattern: String, bytes: Int) -> String {
        String(repeating: pattern, count: max(1, bytes / pattern.utf8.count))
    }

    /// Returns texts of repeated patterns, also after another beginning: `🌐` and spaces, a letter and marks.
    package static func texts(bytes: Int) -> [String] {
        var texts = patterns.map { text($0, bytes: bytes) }
        for opening in ["\u{1f310}", "s", "file-", "![](http://", "--no x", "/v1 http://", "![", "!delay=0 "] {
            for pattern in [" ", "\u{301}\u{327}", "\u{1f1e6}", "[", "a", "\\"] {
                texts.append(opening + text(pattern, bytes: bytes))
            }
        }
        return texts
    }

    /// The most steps that a parser may take for each byte of its input.
    package static let stepsPerByte = 8
}
