import Engine

/// Numbers that a server refuses because they are too large for the field, or for the context window beside the prompt.
extension Refusal {
    /// The finding for a limit of tokens or candidates that is above the server's bound.
    var findingOfBound: QuirkFinding? {
        guard words.containsAny(of: Self.excesses), !words.areAboutSchema else { return nil }
        let limits = request.fieldPaths.filter { Self.isLimit($0.last ?? "") }
        // vLLM names the switch in place of the number.
        var named = limits.filter { isNamed($0) || $0 == ["top_logprobs"] && isNamed(["logprobs"]) }
        if named.isEmpty, words.nameOutputLimit { named = limits.filter(Self.isOfTokens) }
        guard named.count == 1, let given = request.value(at: named[0])?.integer else { return nil }
        let least = Self.isOfTokens(named[0]) ? Self.minBound : 1
        guard let most = words.bounds(below: given).max(), most >= least else { return nil }
        return QuirkFinding([FieldChange(path: named[0], kind: .atMost(most))])
    }

    /// The finding for a prompt and a limit of tokens that do not fit into the context window together, or into the
    /// account's credit: what is left.
    var findingOfWindow: QuirkFinding? {
        let limits = request.fieldPaths.filter { $0.last?.lowercased().hasPrefix("max") ?? false }
            .filter { request.value(at: $0)?.integer != nil }
        if let most = words.prose.number(behind: "can only afford") {
            let path = limits.count == 1 ? limits[0] : ["max_tokens"]
            return most < Self.minLeft
                ? nil : QuirkFinding([FieldChange(path: path, kind: .set("\(most)"))], isLasting: false)
        }
        guard limits.count == 1, words.quoteAny(of: ["context", "input", "prompt", "messages", "seq_len"]),
            let left = request.value(at: limits[0])?.integer.flatMap(words.tokensLeft), left >= Self.minLeft
        else { return nil }
        return QuirkFinding([FieldChange(path: limits[0], kind: .atMost(left))], isLasting: false)
    }

    /// The fewest tokens for a completion with which a request is repeated.
    private static let minLeft = 256
    /// The lowest bound of a completion's tokens that a server may have. A lower number means something else.
    private static let minBound = 16

    private static func isLimit(_ name: String) -> Bool {
        let plain = name.lowercased()
        return plain.hasPrefix("max") || ["top_k", "topk", "top_logprobs"].contains(plain)
    }

    private static func isOfTokens(_ path: [String]) -> Bool {
        let plain = path.last?.lowercased() ?? ""
        return plain.hasPrefix("max") && plain.contains("tokens")
    }

    private static let excesses: [StaticString] = [
        "at most", "less than", "less or equal", "greater than", "maximum", "too large", "too high", "exceed", "above",
        "limit", "up to", "between", "range", "max tokens", "<", ">", "must be in", "should be in", "范围", "最大", "上限",
        "超过", "超出", "超限", "大于", "小于",
    ]
}

extension RefusalWords {
    /// Whether the message names a limit of a completion's tokens, whatever the server calls the field.
    fileprivate var nameOutputLimit: Bool {
        if quoteAny(of: ["completion tokens", "output tokens", "max tokens", "maximum tokens"]) { return true }
        return tokens.contains { word in
            let name = word.text.lowercased().filter { $0 != "_" }
            return name.hasPrefix("max") && name.hasSuffix("tokens")
                && !["input", "prompt", "total", "context"].contains { name.contains($0) }
        }
    }

    /// Returns the largest values that the message may allow in place of a larger one.
    fileprivate func bounds(below given: Int) -> [Int] {
        let words = tokens
        let lowerEnds = words.indices.filter { index in
            guard let number = Int(words[index].text) else { return false }
            let behind = words[(index + 1)...].drop { Self.ofRanges.contains($0.text.lowercased()) }
            guard let end = behind.first.flatMap({ Int($0.text) }), end > number else { return false }
            // `8192, 9000 given` is not a range.
            return end != given || behind.startIndex > index + 1
        }
        // A number below a range is not too large.
        if lowerEnds.contains(where: { Int(words[$0].text) ?? 0 > given }) { return [] }
        return words.indices.compactMap { index in
            guard let number = Int(words[index].text), number > 0, !lowerEnds.contains(index) else { return nil }
            if index > 0, words[index - 1].text.contains("prompt") { return nil }
            // An interval without its end: `[1, 8193)`.
            let isEndExcluded =
                words[(index + 1)...].first?.text == "exclusive"
                || [
                    "less than \(number)", "< \(number)", ", \(number))", ",\(number))", "小于\(number)", "小于 \(number)",
                ].contains(where: contains)
            let most = isEndExcluded ? number - 1 : number
            return most > 0 && most < given ? most : nil
        }
    }

    /// The words between the ends of a range.
    private static let ofRanges: Set = ["to", "and", "-", "through", "inclusive", "exclusive"]

    // MARK: Context windows

    /// Returns the tokens that the context window leaves for a completion; nil if the message does not tell.
    /// - Parameter given: the tokens that the request allows, which are too many beside the prompt.
    fileprivate func tokensLeft(of given: Int) -> Int? {
        let numbers = Set(numbers.filter { $0 > 0 })
        let isGiven = numbers.contains(given)
        guard isGiven || quoteAny(of: ["output", "completion", "max_tokens", "max tokens", "total_tokens"]) else {
            return nil
        }
        guard let window = window ?? (isGiven ? Self.window(among: numbers.subtracting([given]), given) : nil) else {
            return nil
        }
        // The sum of the prompt and the limit tells the prompt, too, whatever its parts are called.
        let sum = numbers.subtracting(ofPrompt).filter { $0 > max(window, given) }.max()
        let prompts = numbers.subtracting([given, window &- given]).filter { $0 < window }
        guard let prompt = sum.map({ $0 &- given }) ?? prompts.max() else { return nil }
        let left = window &- prompt
        return left > 0 && left < given ? left : nil
    }

    /// The context window that the message names: the number close behind a word for it.
    private var window: Int? {
        let words = tokens
        for (index, word) in words.enumerated() where Self.ofWindows.contains(where: word.text.lowercased().contains) {
            let behind = words[(index + 1)...].prefix(6).prefix { word in
                !Self.ofParts.contains(where: word.text.contains)
            }
            // Anthropic writes a sum there: `188240 + 21333 > 200000`.
            if let number = behind.lazy.compactMap({ Int($0.text) }).first {
                return contains("\(number) +") ? nil : number
            }
        }
        return nil
    }

    private static let ofWindows = ["context", "window", "seq_len", "model_len", "limit"]
    private static let ofParts = ["prompt", "input", "request", "max"]

    /// The numbers of which the message says that they are of the prompt alone.
    private var ofPrompt: Set<Int> {
        Set(
            zip(tokens, tokens.dropFirst()).compactMap {
                $1.text == "input" || $1.text == "prompt" ? Int($0.text) : nil
            }
        )
    }

    /// Returns the context window among a message's other numbers; nil if there are too many.
    private static func window(among others: Set<Int>, _ given: Int) -> Int? {
        // Without the sum, the prompt and the window are the only numbers.
        let prompt = others.first { others.contains($0 &+ given) } ?? (others.count == 2 ? others.min() : nil)
        return prompt.flatMap { prompt in others.filter { $0 > prompt && $0 < prompt &+ given }.max() }
    }
}
