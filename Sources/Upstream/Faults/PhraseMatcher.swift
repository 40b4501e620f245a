import Engine

/// A text, converted to lower case, in which phrases are searched. The search takes linear time.
struct PhraseMatcher {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = text.utf8.map { (65...90).contains($0) ? $0 | 32 : $0 } }

    /// Returns whether the text contains a phrase.
    ///
    /// - Parameter phrase: the phrase in lower case.
    func say(_ phrase: StaticString) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            return scan.find(phrase)
        }
    }

    func containsAny(of phrases: [StaticString]) -> Bool { phrases.contains { say($0) } }

    /// Whether the text says that a prompt does not fit the model's context window.
    var saysPromptTooLong: Bool {
        if containsAny(of: Self.windows), containsAny(of: Self.excesses) { return true }
        if say("token count"), containsAny(of: ["exceeds the maximum", "exceeds the limit", "only supports up to"]) {
            return true
        }
        return containsAny(of: Self.tooLong)
    }

    private static let windows: [StaticString] = [
        "context length", "context window", "context size", "context limit",
    ]
    private static let excesses: [StaticString] = [
        "exceed", "maximum", "longer than", "greater than", "too long", "too large", " only ",
    ]
    /// The words of Anthropic, Ollama, Amazon Bedrock, xAI, Groq, Moonshot, vLLM, Alibaba, Z.ai (two), OpenRouter,
    /// OpenAI and Hugging Face.
    private static let tooLong: [StaticString] = [
        "prompt is too long", "prompt too long", "input is too long for requested model", "maximum prompt length",
        "reduce the length of the messages", "exceeded model token limit", "maximum model length",
        "range of input length", "prompt exceeds max length", "prompt 超长", "maximum allowed input length",
        "input tokens exceed", "`inputs` tokens +",
    ]

    /// Returns whether the text contains the word as a separate word: `top` is not found in `top_p`.
    func name(_ word: StaticString) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            while scan.find(word) {
                let start = scan.position - word.utf8CodeUnitCount
                let isBegun = start > 0 && Self.isOfName(bytes[start - 1])
                if !isBegun, scan.isAtEnd || !Self.isOfName(bytes[scan.position]) { return true }
            }
            return false
        }
    }

    /// Returns the first number after a phrase; nil if the phrase or the number is absent.
    func number(behind phrase: StaticString) -> Int? {
        bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            guard scan.find(phrase) else { return nil }
            let digits = bytes[scan.position...].drop { !(48...57).contains($0) }.prefix { (48...57).contains($0) }
            return Int(String(decoding: digits, as: UTF8.self))
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }
}
