import Engine
import Shared
import Upstream

extension ChatCall {
    /// The most choices that one request may ask for, over all of its prompts.
    private static let maxChoices = 32
    /// The prompt that OpenAI's API uses if the request contains none.
    private static let noPrompt = "<|endoftext|>"

    /// Creates a call from the body of `POST /v1/completions`. Throws if a field is invalid or unsupported.
    init(completing fields: RequestFields, defaultModel: String?) throws(APIError) {
        self.init()
        guard let model = try fields.model() ?? defaultModel, !model.isEmpty else { throw .missing("model") }
        self.model = model
        let prompts = try PromptReader(counter: .of(model: model)).prompts(fields["prompt"])
        messages = (prompts ?? [Self.noPrompt]).map { ChatMessage(role: .user, text: $0) }
        arePromptsSeparate = messages.count > 1
        guard messages.count <= Self.maxChoices else {
            throw .value("prompt", "at most \(Self.maxChoices) prompts per request are supported")
        }
        let each = try Self.choices(fields)
        guard each * messages.count <= Self.maxChoices else {
            let all = arePromptsSeparate ? " over all prompts, not \(messages.count) times \(each)" : ""
            throw .value("n", "at most \(Self.maxChoices) choices\(all) are supported")
        }
        choices = each * messages.count
        try Self.refuseUnserved(fields, choices: each)
        isStreamed = try fields.flag("stream") ?? false
        includesUsage = try Self.includesUsage(fields, isStreamed: isStreamed)
        stops = try Self.stops(fields)
        maxTokens = try fields.integer("max_tokens", 1...Int(Int32.max))
        if each > 1 { needs.insert(.choices) }
        if arePromptsSeparate { needs.insert(.prompts) }
        if !stops.isEmpty { needs.insert(.stops) }
        if maxTokens != nil { needs.insert(.tokenBound) }
        try readSampling(fields)
        countIfLong()
    }

    private static func refuseUnserved(_ fields: RequestFields, choices: Int) throws(APIError) {
        if let suffix = try fields.length("suffix"), suffix > 0 {
            throw .unsupported("suffix", "'suffix' is not supported.")
        }
        if fields["logprobs"]?.flag != false, try fields.integer("logprobs", 0...5) != nil {
            throw .unsupported("logprobs", "Log probabilities are not supported.")
        }
        guard let made = try fields.integer("best_of", 0...20), made > 1 || made < choices else { return }
        guard made >= choices else { throw .value("best_of", "must be at least as many as 'n'") }
        guard made == choices else {
            throw .unsupportedValue("best_of", "choosing the best of several completions is not supported; remove it")
        }
    }
}

/// A reader for the prompts of a legacy completion request: texts or token ids.
private struct PromptReader {
    let counter: TokenCounter

    /// Returns the prompts of the request; nil if the request has no `prompt`.
    func prompts(_ prompt: JSONValue?) throws(APIError) -> [String]? {
        guard let prompt else { return nil }
        if let text = prompt.string { return [text] }
        guard let elements = prompt.elements else { throw .type("prompt", "a string or an array") }
        var texts: [String] = []
        var tokens: [Int] = []
        for (index, element) in elements.enumerated() {
            if element.kind == .integer, texts.isEmpty {
                tokens.append(Int(clamping: element.integer ?? -1))
            } else if tokens.isEmpty {
                texts.append(try text(element, "prompt[\(index)]"))
            } else {
                throw .type("prompt[\(index)]", "an integer, as the first element")
            }
        }
        if !tokens.isEmpty { return [try text(tokens, "prompt")] }
        guard !texts.isEmpty else { throw .emptyArray("prompt") }
        return texts
    }

    /// Returns the text of one element of `prompt`: a string or a list of token ids.
    private func text(_ element: JSONValue, _ param: String) throws(APIError) -> String {
        if let text = element.string { return text }
        guard let elements = element.elements else { throw .type(param, "a string or an array of tokens") }
        var tokens: [Int] = []
        for (index, token) in elements.enumerated() {
            guard let number = token.integer else { throw .type("\(param)[\(index)]", "an integer") }
            tokens.append(Int(clamping: number))
        }
        guard !tokens.isEmpty else { throw .emptyArray(param) }
        return try text(tokens, param)
    }

    private func text(_ tokens: [Int], _ param: String) throws(APIError) -> String {
        guard counter.isExact else {
            throw .unsupportedValue(
                param,
                "token ids are supported only for models with a public vocabulary; send the text"
            )
        }
        guard let text = counter.text(of: tokens) else { throw .value(param, "has token ids that do not encode text") }
        return text
    }
}
