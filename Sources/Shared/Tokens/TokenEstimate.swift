import Engine

/// How many tokens a text has, judged by its characters alone: a quarter for ASCII, a half for two-byte characters,
/// one for three-byte ones (most of CJK), two for the rest (emoji). It does not depend on how the text is cut into
/// pieces.
package struct TokenEstimate: Sendable {
    private var quarters = 0

    package init() {}

    /// Rounded up.
    package var tokens: Int { (quarters + 3) / 4 }

    package mutating func add(_ text: UnsafeRawBufferPointer) {
        var index = 0
        while index < text.count {
            if index + 8 <= text.count, text[part: index..<(index + 8)].isASCII {
                quarters += 8
                index += 8
            } else {
                quarters += Self.quarters(text[index])
                index += 1
            }
        }
    }

    package mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// Adds characters of `text` while they fit into `limit` tokens; returns the byte count of those that did.
    package mutating func add(_ text: UnsafeRawBufferPointer, upTo limit: Int) -> Int {
        if quarters + 8 * text.count <= 4 * limit {
            add(text)
            return text.count
        }
        for index in 0..<text.count {
            let more = Self.quarters(text[index])
            if more > 0, quarters + more > 4 * limit { return index }
            quarters += more
        }
        return text.count
    }

    /// By the first byte of a character; the following ones count nothing. A digit for each value of the byte's upper
    /// half: F is 8, E 4, D and C 2, B to 8 0, the rest 1.
    private static func quarters(_ byte: UInt8) -> Int {
        Int(truncatingIfNeeded: (0x8422_0000_1111_1111 as UInt64) >> (UInt64(byte >> 4) * 4) & 15)
    }
}

/// Tokens of a call, as `usage` tells them.
package struct Usage: Sendable {
    package var promptTokens: Int
    package var completionTokens: Int

    package init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    package var totalTokens: Int { promptTokens + completionTokens }
}
