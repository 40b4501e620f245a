import Calls
import Engine
import Shared

extension Refusal {
    /// Finds the quirk because of which a server refused a Messages request.
    ///
    /// - Parameter known: the quirks for which the request was already changed.
    /// - Returns: the quirk; nil if no change of the request is likely to help.
    func messageQuirk(known: LearnedQuirks) -> QuirkFinding? {
        guard status == 400 || status == 422, !isSpecial else { return nil }
        return RefusedMessage(words, request, known).finding ?? RefusedRequest(self, known).openFinding
    }
}

/// A Messages request that the server refused, and the message of the error response.
private struct RefusedMessage {
    private let words: RefusalWords
    private let request: RawJSON
    private let known: LearnedQuirks

    private static let phrases: [StaticString] = [
        "not supported", "unsupported", "not support", "n't support", "not permitted", "not allowed", "extra inputs",
        "deprecated", "no longer", "not available", "cannot be used", "cannot both", "unexpected", "unknown",
        "not compatible", "incompatible", "may not be", "may only be", "must be removed", "not enabled",
    ]

    init(_ words: RefusalWords, _ request: RawJSON, _ known: LearnedQuirks) {
        self.words = words
        self.request = request
        self.known = known
    }

    var finding: QuirkFinding? {
        // A change that was already made does not help.
        guard let quirk = candidates.first(where: { !known.isSuperset(of: $0) }) else { return nil }
        if quirk == .plainSchemas { return .ofSchemas(words) }
        let isLasting = words.isComplete && !words.containsAny(of: Self.bounds) && !isOfPart
        var finding = QuirkFinding(quirk, isLasting: isLasting)
        finding.isOfPair = quirk == .noSecondSampling
        return finding
    }

    /// Whether the error is about a part of a field that the relay would leave out as a whole.
    private var isOfPart: Bool {
        words.areAboutSchema || ["output_config.format", "format"].contains { words.nameOnlyPart(of: $0) }
    }

    private static let bounds: [StaticString] = [
        "between", "at least", "at most", "less than", "greater than", "maximum", "minimum", "range", "too long",
        "too short", "length", "characters", "pattern", "<", ">",
    ]

    private var candidates: [LearnedQuirks] {
        let thinking = request["thinking"]
        if words.quote("expected \u{1}`thinking`") || words.quote("expected \u{1}`redacted_thinking`") {
            return thinking == nil ? [] : [.noThinkingNow]
        }
        if words.say("invalid"), words.quote("redacted_thinking") || words.quote("signature") && words.quote("thinking")
        {
            return [.noEarlierReasoning]
        }
        let isPrefill = words.say("prefill") || words.say("must end with a user message")
        if isPrefill, isLastOfAssistant { return [.noPrefill] }
        if words.quote("role"), words.quote("system") || words.quote("assistant"), hasSystemTurns {
            return [.noSystemTurns]
        }
        if words.quote("input_schema"), request["tools"] != nil { return [.plainSchemas] }
        guard words.containsAny(of: Self.phrases) else { return [] }
        if words.quote("cache_control") { return [.noCacheMarks] }
        if words.quote("web_search") || words.say("web search"), hasSearch { return [.noSearch] }
        return ofTools + ofForm + ofSampling + (thinking.map(ofThinking) ?? []) + ofTheRest
    }

    private var hasSearch: Bool {
        request["tools"]?.elements.contains { $0["type"]?.content?.hasPrefix("web_search_") ?? false } ?? false
    }

    private var hasSystemTurns: Bool {
        // A turn at a wrong position says nothing about the model.
        if words.containsAny(of: ["must follow", "must precede", "first message"]) { return false }
        return request["messages"]?.elements.contains(where: \.isSystemTurn) ?? false
    }

    private var isLastOfAssistant: Bool {
        var isAssistant = false
        guard let messages = request["messages"]?.elements else { return false }
        for message in messages { isAssistant = message["role"]?.content == "assistant" }
        return isAssistant
    }

    /// The quirks that can explain a refused `tool_choice`; empty if the error response has another cause.
    private var ofTools: [LearnedQuirks] {
        guard let choice = request["tool_choice"]?["type"]?.content, choice == "any" || choice == "tool" else {
            return []
        }
        return words.quote("tool_choice") || words.say("forced tool") || words.say("forces tool") ? [.noForcing] : []
    }

    private var ofForm: [LearnedQuirks] {
        guard let config = request["output_config"] else { return [] }
        let isForm = words.quoteAny(of: [
            "output_config.format", "output_format", "structured output", "json_schema", "output format",
        ])
        if config["format"] != nil, isForm { return [.noSchemas] }
        guard let effort = config["effort"]?.content, words.name("effort") || words.quote("output_config") else {
            return []
        }
        let isHigh = effort == "xhigh" || effort == "max"
        return isHigh ? [.highEffort, .noEffortOfClaude] : [.noEffortOfClaude]
    }

    private var ofSampling: [LearnedQuirks] {
        let fields: [StaticString] = ["temperature", "top_p", "top_k"]
        guard fields.contains(where: { words.name($0) && request[$0] != nil }) else { return [] }
        let isPair = words.say("both") && request["temperature"] != nil && request["top_p"] != nil
        return isPair ? [.noSecondSampling, .noSampling] : [.noSampling]
    }

    private func ofThinking(_ thinking: RawJSON) -> [LearnedQuirks] {
        guard words.quote("thinking") else { return [] }
        switch thinking["type"]?.content {
        case "enabled": return words.quote("adaptive") ? [.adaptiveThinking, .noThinking] : [.noThinking]
        case "disabled": return words.quote("between_tools") ? [.thinkingBetweenTools, .noThinking] : [.noThinking]
        default: return [.noThinking]
        }
    }

    private var ofTheRest: [LearnedQuirks] {
        words.name("strict") && request["tools"] != nil ? [.noStrictTools] : []
    }
}
