import Engine

extension Refusal {
    /// The names under which other servers accept a refused field.
    private static let otherNames: [(StaticString, String)] = [
        ("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens"), ("seed", "random_seed"),
    ]

    /// The quirk of a server with OpenAI's API that the refusal shows; nil if there is no new quirk.
    var findingOfOpenAI: QuirkFinding? {
        guard [400, 422, 500].contains(status) || isOfRouting, !isSpecial else { return nil }
        // Some servers report an error of the model's chat template with status 500.
        if status == 500 { return quirkOfTurns }
        if let finding = findingOfResults ?? findingOfStrayMembers { return finding }
        if lacksAddresses { return new(.noAddresses) }
        if words.quote("name"), hasWordsOfBounds, ToolNameShortener.finds(in: request) {
            return new(.shortNames)
        }
        if let finding = findingOfNames { return finding }
        if let finding = findingOfMessages { return new(finding) }
        if words.areAboutSchema || words.quoteAny(of: ["missing items", "none is not"]),
            let finding = findingOfSchemas(.complete, at: Self.schemas)
        {
            return finding
        }
        if let finding = findingOfStrictSchema { return finding }
        if let finding = findingOfStream ?? findingOfConstantReasoning ?? lackingAbility { return new(finding) }
        if request["tools"] != nil || request["functions"] != nil, lacksTools {
            return new(.noTools)
        }
        if let bound = findingOfBound { return bound }
        let isOfForm = words.containsAny(of: [
            "should be", "must be", "expected", "invalid type", "supported string values", "cannot unmarshal object",
        ])
        if request["tool_choice"]?.isObject ?? false, isUnsupported || isOfForm, namesToolChoice {
            return new(.noForcing)
        }
        if request["tool_choice"]?.content == "required", isUnsupported || words.say("must either be"), namesToolChoice
        {
            return new(.noRequired)
        }
        guard isUnsupported else { return findingOfEffort }
        if !combination.isCondition, let finding = findingOfThinkingType { return new(finding) }
        if words.say("penalty is not enabled") {
            return new(QuirkFinding([FieldChange("presence_penalty"), FieldChange("frequency_penalty")]))
        }
        for (field, name) in Self.otherNames where request[field] != nil && names(field) {
            // A server that knows the seed, but does not support it, has no other name for it.
            if name.hasPrefix("random"), !isOfUnknown { continue }
            return finding(.rename(name), at: [["\(field)"]])
        }
        return findingOfFields ?? findingOfEffort
    }

    /// The finding that the schema of a strict tool is refused, which is then sent as one that need not be followed.
    private var findingOfStrictSchema: QuirkFinding? {
        let isOfTool = words.quote("for function") || vendorError.param?.hasPrefix("tools") ?? false
        guard isOfTool, words.areAboutSchema else { return nil }
        let paths = ["tools.strict", "tools.function.strict"]
        var finding = findingOfSchemas(.replace(nil, by: "false"), at: paths)
        // Other schemas may be strict.
        finding?.isLasting = false
        return finding
    }

    /// Whether the error names the choice of tools, by Amazon's name, too: `toolConfig.toolChoice.any`.
    private var namesToolChoice: Bool { isNamed(["tool_choice"]) || words.quote("toolconfig.toolchoice") }

    /// Whether the error says that the model is not served by the chat completions API, but perhaps by another one.
    var isOfChatPath: Bool {
        if words.quote("/responses") { return true }
        // A field that this API lacks is left out alone.
        return words.quote("model") && words.quoteAny(of: ["chat/completions", "chatcompletion"])
            && (isUnsupported || words.containsAny(of: ["not accessible", "does not work"]))
            && !request.fieldPaths.contains { $0 != ["model"] && isNamed($0) }
    }

    /// The finding that the server sends no streams, or streams only. The response is read in either form.
    private var findingOfStream: QuirkFinding? {
        var changes = [FieldChange("stream"), FieldChange("stream_options")]
        if request["stream"]?.bytes.equals("true") ?? false {
            let isOfModel = words.quoteAny(of: ["model is unsupported for stream", "model is not supported for stream"])
            let isNamed = isNamed(["stream"]) || words.quoteAny(of: ["streaming is", "support streaming"])
            guard isUnsupported, !words.quote("stream_options") else { return nil }
            if !isOfModel, combination.isCondition {
                // A field that is refused in streams alone is not the stream, unless it must stay.
                return combination.keptInStreams.map { QuirkFinding(changes, beside: $0) }
            }
            guard isOfModel || isNamed else { return nil }
        } else {
            guard words.quoteAny(of: Self.streamsOnly) else { return nil }
            changes = [FieldChange("stream", .set("true"))]
            if request["messages"] != nil {
                changes.append(FieldChange("stream_options", .set(#"{"include_usage":true}"#)))
            }
        }
        return QuirkFinding(changes, isOfPair: true)
    }

    private static let streamsOnly: [StaticString] = [
        "only supports stream", "only support stream", "stream must be", "stream=true", "stream=false",
        "stream to true",
        "streaming is required", "requires stream", "must be streamed", "non-stream",
    ]

    private static let schemas = [
        "tools.function.parameters", "tools.parameters", "functions.parameters", "response_format.json_schema.schema",
        "text.format.schema",
    ]
}
