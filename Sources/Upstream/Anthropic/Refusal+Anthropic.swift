import Engine

extension Refusal {
    /// The findings because of which a server may have refused a Messages request, the likeliest one first.
    var findingsOfMessages: [QuirkFinding] {
        let thinking = request["thinking"]
        if words.quote("expected `thinking`") || words.quote("expected `redacted_thinking`") {
            return thinking == nil ? [] : [QuirkFinding([FieldChange("thinking")], isLasting: false)]
        }
        // DeepSeek thinks unless it is told not to.
        if words.quote("thinking"), words.say("must be passed back") {
            return [QuirkFinding([FieldChange("thinking", .set(#"{"type":"disabled"}"#))], isLasting: false)]
        }
        let isOfSeal = words.quote("redacted_thinking") || words.quote("signature") && words.quote("thinking")
        if isOfSeal, words.containsAny(of: ["invalid", "cannot be modified"]) {
            let changes = ["thinking", "redacted_thinking"].map {
                FieldChange("messages.content", .dropType($0, or: #"{"type":"text","text":"."}"#))
            }
            return [QuirkFinding(changes, isLasting: false)]
        }
        let isPrefill = words.say("prefill") || words.say("must end with a user message")
        if isPrefill, request.endsWithAssistant { return [scoped(.noPrefill)] }
        if words.quote("role"), words.quote("system") || words.quote("assistant"), hasSystemTurns {
            return [scoped(.noSystemTurns)]
        }
        // A tool with a plain schema could not be strict, either.
        if words.quote("input_schema"),
            let plain = findingOfSchemas(.plain, at: ["tools.input_schema"], dropping: ["tools.strict"])
        {
            return [plain]
        }
        if words.containsAny(of: ["compiled grammar", "too complex", "too many optional", "too many strict"]) {
            let isFormat = request["output_config"]?["format"] != nil
            return [isFormat ? scoped(.noSchemas) : QuirkFinding([FieldChange("tools.strict")], isLasting: false)]
        }
        guard isUnsupported else { return [] }
        if words.quote("web_search") || words.say("web search"), hasSearch { return [scoped(.noSearch)] }
        return ofTools + ofFormat + [findingOfEffort].compactMap(\.self) + ofSampling + (thinking.map(ofThinking) ?? [])
    }

    private var hasSearch: Bool {
        request.list("tools").contains { $0["type"]?.content?.hasPrefix("web_search_") ?? false }
    }

    private var hasSystemTurns: Bool {
        // A turn at a wrong position says nothing about the model.
        !words.containsAny(of: ["must follow", "must precede", "first message"])
            && request.list("messages").contains(where: \.isSystemTurn)
    }

    private var ofTools: [QuirkFinding] {
        guard let choice = request["tool_choice"]?["type"]?.content, choice == "any" || choice == "tool" else {
            return []
        }
        let isForced = words.quote("tool_choice") || words.say("forced tool") || words.say("forces tool")
        return isForced ? [scoped(.noForcing)] : []
    }

    private var ofFormat: [QuirkFinding] {
        let isFormat = words.quoteAny(of: [
            "output_config.format", "output_format", "structured output", "json_schema", "output format",
        ])
        guard isFormat, request["output_config"]?["format"] != nil else { return [] }
        var finding = scoped(.noSchemas)
        if ["output_config.format", "format"].contains(where: words.named.nameOnlyPart) { finding.isLasting = false }
        return [finding]
    }

    private var ofSampling: [QuirkFinding] {
        let fields: [StaticString] = ["temperature", "top_p", "top_k"]
        guard fields.contains(where: { words.name($0) && request[$0] != nil }) else { return [] }
        var findings = [QuirkFinding(fields.map { FieldChange("\($0)") })]
        if words.say("both"), request["temperature"] != nil, request["top_p"] != nil {
            let beside = OtherField(paths: ["temperature"], state: .present)
            findings.insert(QuirkFinding([FieldChange("top_p")], beside: beside), at: 0)
        }
        return findings
    }

    private func ofThinking(_ thinking: RawJSON) -> [QuirkFinding] {
        guard words.quote("thinking") else { return [] }
        var dropped = QuirkFinding([FieldChange("thinking")])
        if !combination.isCondition, let type = thinking["type"]?.content?.text,
            words.quote("thinking.type") || !words.exact([type], among: [type]).isEmpty
        {
            // The server may accept another type.
            dropped.beside = OtherField(paths: ["thinking"], state: .equal(type))
        }
        return [findingOfThinkingType, dropped].compactMap(\.self)
    }

    /// The finding that thinking of this type is refused, of which the error names another type; nil if it does not.
    var findingOfThinkingType: QuirkFinding? {
        let other: (type: StaticString, other: StaticString, json: String)? =
            switch request["thinking"]?["type"]?.content {
            case "enabled": ("enabled", "adaptive", #"{"type":"adaptive","display":"summarized"}"#)
            case "disabled": ("disabled", "between_tools", #"{"type":"between_tools"}"#)
            default: nil
            }
        guard isUnsupported, words.quote("thinking"), let other, words.quote(other.other) else { return nil }
        return QuirkFinding([FieldChange("thinking", .replace("\(other.type)", by: other.json))])
    }
}
