import Engine

/// A text, converted to lower case, in which phrases are searched. The search takes linear time.
struct PhraseMatcher {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = text.utf8.map { (65...90).contains($0) ? $0 | 32 : $0 } }

    /// Returns whether the text contains a phrase.
    /// - Parameter phrase: the phrase in lower case.
    func say(_ phrase: StaticString) -> Bool { rest(behind: phrase) != nil }

    /// Returns the text behind a phrase in lower case; nil if the phrase is absent.
    private func rest(behind phrase: StaticString) -> ArraySlice<UInt8>? {
        let offset = bytes.withUnsafeBytes { bytes in
            var scan = ByteScan(bytes)
            return scan.find(phrase) ? scan.offset : nil
        }
        return offset.map { bytes[$0...] }
    }

    func containsAny(of phrases: [StaticString]) -> Bool { phrases.contains { say($0) } }

    /// Whether the text says that a prompt does not fit the model's context window.
    var saysPromptTooLong: Bool {
        if containsAny(of: Self.windows), containsAny(of: Self.excesses) { return true }
        if say("token count"), containsAny(of: ["exceeds the maximum", "exceeds the limit", "only supports up to"]) {
            return true
        }
        return containsAny(of: Self.tooLong) || comparesPrompt
    }

    /// Whether the text says that an account's money is spent, not only the calls of a minute or a day.
    var saysCreditIsSpent: Bool {
        (Self.money.contains(where: name) || containsAny(of: Self.moneyWords))
            && containsAny(of: Self.shortages) && !containsAny(of: Self.rates)
    }

    private static let money: [StaticString] = ["credit", "credits", "balance", "quota", "billing"]
    private static let moneyWords: [StaticString] = ["spending limit", "额度", "余额"]
    private static let shortages: [StaticString] = [
        "insufficient", "not enough", "n't have any", "have no ", "no remaining", "exhaust", "deplet", "exceeded",
        "run out", "ran out", "out of", "used all", "used up", "too low", "recharge", "overdue", "suspended",
        "not active", "not sufficient", "unpaid", "不足", "用尽", "耗尽", "用完", "充值",
    ]
    private static let rates: [StaticString] = [
        "rate limit", "per minute", "per_minute", "per second", "per_second", "per hour", "per day", "per_day",
        "prompt tokens limit", "increase your quota", "quota increase",
    ]

    /// Whether the text says that the key of the call is wrong.
    var refuseKey: Bool {
        containsAny(of: [
            "incorrect api key", "invalid api key", "api key not valid", "api key is not valid", "api key expired",
            "api key has expired", "invalid authorization header",
        ])
    }

    /// Whether the text is about a prompt or tokens, and compares a number with a smaller one.
    private var comparesPrompt: Bool {
        guard containsAny(of: ["prompt", "input", "tokens"]), containsAny(of: Self.comparisons),
            !containsAny(of: [
                "per minute", "per day", "output", "completion", "max_tokens", "max tokens", "max_new", "image",
            ])
        else { return false }
        let numbers = clauses.joined().compactMap { Int($0) }
        return numbers.count > 1 && numbers[0] > numbers[1] && numbers[1] >= 256
    }

    private static let comparisons: [StaticString] = ["exceed", "more than", "less than", "at most", ">"]

    private static let windows: [StaticString] = [
        "context length", "context window", "context size", "context limit", "上下文",
    ]
    private static let excesses: [StaticString] = [
        "exceed", "maximum", "longer than", "greater than", "too long", "too large", " only ", "超", "过长",
    ]
    /// The words of Anthropic, Ollama, Amazon Bedrock, xAI, Groq, Moonshot, vLLM, Alibaba, Z.ai (four), OpenRouter,
    /// OpenAI, Hugging Face, Alibaba again and Snowflake.
    private static let tooLong: [StaticString] = [
        "prompt is too long", "prompt too long", "input is too long for requested model", "maximum prompt length",
        "reduce the length of the messages", "exceeded model token limit", "maximum model length",
        "range of input length", "prompt exceeds max length", "prompt 超长", "输入长度超", "输入过长",
        "maximum allowed input length",
        "input tokens exceed", "`inputs` tokens +", "`inputs` must have less than", "message token length exceed",
        "tokens in request more than",
    ]

    /// Returns whether the text contains the word as a separate word: `top` is not found in `top_p`.
    func name(_ word: StaticString) -> Bool { hasWord(UnsafeRawBufferPointer(word)) { _ in true } }

    /// Returns whether the text contains the word, in any letter case, as a separate word.
    func name(_ word: UnsafeRawBufferPointer) -> Bool {
        word.map { (65...90).contains($0) ? $0 | 32 : $0 }.withUnsafeBytes { hasWord($0) { _ in true } }
    }

    /// Returns whether the text names only parts of a field: `metadata.key` or `tools[0]`.
    func nameOnlyPart(of field: String) -> Bool {
        let isPart = { (end: Int) -> Bool in
            guard end + 1 < bytes.count else { return false }
            return bytes[end] == UInt8(ascii: "[") || bytes[end] == UInt8(ascii: ".") && Self.isOfName(bytes[end + 1])
        }
        return field.lowercased().withBytes { field in
            hasWord(field, where: isPart) && !hasWord(field) { !isPart($0) }
        }
    }

    /// Returns whether the text contains the word as a separate word whose end `isMeant` accepts.
    private func hasWord(_ word: UnsafeRawBufferPointer, where isMeant: (Int) -> Bool) -> Bool {
        guard let first = word.first else { return false }
        return bytes.withUnsafeBytes { bytes in
            var from = 0
            while let offset = bytes[part: from..<bytes.count].first(first) {
                let start = from + offset
                let end = start + word.count
                from = start + 1
                guard end <= bytes.count, bytes[part: start..<end].elementsEqual(word) else { continue }
                let isBegun = start > 0 && Self.isOfName(bytes[start - 1])
                if !isBegun, end == bytes.count || !Self.isOfName(bytes[end]), isMeant(end) { return true }
            }
            return false
        }
    }

    /// The words of each part of the text between punctuation marks. A name may have points: `thinking.type`.
    var clauses: [[String]] {
        var clauses: [[String]] = [[]]
        var word: [UInt8] = []
        for index in 0...bytes.count {
            let byte = index < bytes.count ? bytes[index] : UInt8(ascii: ".")
            let isInner = index + 1 < bytes.count && Self.isOfName(bytes[index + 1]) && !word.isEmpty
            if index < bytes.count, Self.isOfName(byte) || isInner && ".-".utf8.contains(byte) {
                word.append(byte)
                continue
            }
            if !word.isEmpty { clauses[clauses.count - 1].append(String(decoding: word, as: UTF8.self)) }
            word = []
            if ".,;:()\n".utf8.contains(byte) { clauses.append([]) }
        }
        return clauses.filter { !$0.isEmpty }
    }

    /// Returns the quoted words behind a phrase, up to the end of the sentence; empty if the phrase is absent.
    func names(behind phrase: StaticString) -> [String] {
        let rest = rest(behind: phrase) ?? []
        var names: [String] = []
        // Every second part is between quotes. Behind the last mark, there is none.
        let parts = rest.split(omittingEmptySubsequences: false) { "'\"`".utf8.contains($0) }.dropLast()
        for (index, part) in parts.enumerated() {
            if index.isMultiple(of: 2), part.contains(UInt8(ascii: ".")) { break }
            if !index.isMultiple(of: 2) { names.append(String(decoding: part, as: UTF8.self)) }
        }
        return names
    }

    /// Returns the first number after a phrase; nil if the phrase or the number is absent.
    func number(behind phrase: StaticString) -> Int? {
        let digits = (rest(behind: phrase) ?? []).drop { !$0.isDigit }.prefix(while: \.isDigit)
        return Int(String(decoding: digits, as: UTF8.self))
    }

    /// The seconds that the text asks a client to wait: `try again in 1m2.5s`, `retry after 45 seconds`; nil if it names
    /// no time.
    var secondsToWait: Int? {
        let phrases: [StaticString] = ["try again in ", "try again after ", "retry in ", "retry after ", "wait "]
        return phrases.lazy.compactMap(rest(behind:)).compactMap { rest in
            UpstreamHead.seconds(ofWait: String(decoding: rest.prefix(40), as: UTF8.self))
        }
        .first
    }

    /// Returns whether a word may begin or end at the offset: not within a word.
    static func isEdge(_ offset: Int, of text: [UInt8]) -> Bool {
        func isOfWord(_ byte: UInt8) -> Bool { isOfName(byte) || byte >= 0x80 }
        return offset == 0 || !isOfWord(text[offset]) || !isOfWord(text[offset - 1])
    }

    /// Returns whether a byte may belong to a name. Chinese stands beside names without a space; Latin letters such as
    /// "ã" do not.
    static func isOfName(_ byte: UInt8) -> Bool {
        byte.isLetterOrDigit || byte == UInt8(ascii: "_") || (0xc3...0xdf).contains(byte)
    }
}

extension UInt8 {
    var isDigit: Bool { (48...57).contains(self) }

    /// Whether the byte is a letter of ASCII, or a part of another character.
    var isLetter: Bool { (97...122).contains(self | 32) || self >= 0x80 }
}
