import Engine

extension Refusal {
    /// Whether the request has an image or a document with an HTTP URL, and the error says that only data is accepted.
    var lacksAddresses: Bool {
        let isOfForm =
            words.quoteAny(of: ["invalid image input", "data url", "data uri", "data:image"])
            || words.say("base64") && (isUnsupported || words.say("only") || words.say("must"))
            || isUnsupported && (words.name("url") || words.name("urls") || words.name("file_url") || words.say("http"))
        let messages = isOfForm ? request.list("messages") + request.list("input") : []
        return messages.contains { message in
            (message.list("content") + message.list("output")).contains { part in
                let address = part["image_url"]?["url"] ?? part["image_url"] ?? part["file_url"]
                return address?.content?.hasPrefix("http") ?? false
            }
        }
    }

    /// Whether the error says that the vendor's server does not support tools, or not these.
    var lacksTools: Bool {
        if words.areAboutCompiling
            || words.containsAny(of: ["--enable-auto-tool-choice", "--tool-call-parser", "tools param requires"])
        {
            return true
        }
        // These errors refuse tools only in combination with something else.
        guard !words.quote("reasoning_effort"), !words.quote("/responses") else { return false }
        if let param = vendorError.param, param.hasSameBytes(as: "tools") || param.hasSameBytes(as: "functions") {
            return isUnsupported
        }
        if words.quote("support parameters"), names("tools") { return true }
        return words.containsAny(of: [
            "t support tools", "t support tool use", "t support tool call", "t support function call",
            "tools is not supported", "tools are not supported", "function calling is not supported",
            "function calling is not enabled", "tool calling is not supported", "tool use is not supported", "不支持工具",
            "不支持tool", "不支持function",
        ])
    }

    // MARK: The effort

    /// The finding that the model always reasons, so that the lowest effort is sent in place of none; nil if the error
    /// does not say so.
    var findingOfConstantReasoning: QuirkFinding? {
        let isMandatory = words.containsAny(of: [
            "mandatory", "cannot be disabled", "only works in thinking mode", "not support reasoning effort none",
        ])
        let isOfBudget = words.quote("budget") && words.containsAny(of: ["range", "invalid"])
        guard words.quoteAny(of: ["reasoning", "thinking"]), isMandatory || isOfBudget else { return nil }
        let changes = Self.reasoningWithout.filter { $0.concerns(request) }
        return changes.isEmpty ? nil : QuirkFinding(changes, isOfPair: true)
    }

    /// The changes of fields that turn reasoning off.
    private static let reasoningWithout = [
        FieldChange("reasoning_effort", .replace("none", by: #""low""#)),
        FieldChange("reasoning.effort", .replace("none", by: #""low""#)),
        FieldChange("reasoning.enabled", .dropUnless(["true"])), FieldChange("enable_thinking", .dropUnless(["true"])),
        FieldChange("thinking", .replace("disabled", by: #"{"type":"enabled"}"#)),
    ]

    /// The finding for a refused reasoning effort: `none` beside tools, or the nearest accepted effort, or no effort.
    /// Nil if the error is not about the effort.
    var findingOfEffort: QuirkFinding? {
        // The Responses API and Claude have the effort in a group.
        for path in ["reasoning_effort", "reasoning.effort", "output_config.effort"] {
            guard let effort = request.value(at: path)?.content, effort.count <= FieldChange.wordBytes else { continue }
            let isNamed =
                names(path.hasPrefix("reasoning_") ? "reasoning_effort" : "effort")
                || words.quoteAny(of: ["reasoning value", "think value"])
            let isKnown = ChatOptions.index(ofEffort: effort) != nil && !path.hasPrefix("output")
            let isMeant =
                isUnsupported
                && words.quoteAny(of: [
                    "support thinking", "thinking is not enabled", "reasoningeffort", "output_config.effort",
                    "support reasoning effort",
                ])
            return isNamed && (isUnsupported || isKnown) || isMeant ? finding(ofEffort: effort.text, at: path) : nil
        }
        // Without the field, the model has an effort of its own, which may be refused with tools as well.
        guard request["tools"] != nil, isUnsupported, words.say("tool"), words.quote("set reasoning_effort"),
            words.name("none")
        else { return nil }
        return Self.finding(.set(#""none""#), ofEffortAt: "reasoning_effort")
    }

    /// Returns the finding that the effort is changed beside tools.
    private static func finding(_ kind: FieldChange.Kind, ofEffortAt path: String) -> QuirkFinding {
        QuirkFinding([FieldChange(path, kind)], beside: OtherField(paths: ["tools"], state: .present))
    }

    private func finding(ofEffort effort: String, at path: String) -> QuirkFinding {
        if request["tools"] != nil, words.say("tool"), effort != "none", !path.hasPrefix("output") {
            var finding = Self.finding(.replace(nil, by: #""none""#), ofEffortAt: path)
            finding.isLasting = !words.areAboutSchema
            return finding
        }
        var accepted = ChatOptions.efforts.filter { name in name != effort && name.withBytes { words.named.name($0) } }
        // The highest efforts are newer than the others.
        if accepted.isEmpty, effort == "xhigh" || effort == "max", effort.withBytes({ words.named.name($0) }) {
            accepted = ["low", "medium", "high"]
        }
        if !accepted.isEmpty { return QuirkFinding([FieldChange(path, .nearest(accepted))]) }
        // Without a list of efforts, the refusal of one effort does not say that there are no others.
        let isOfValue =
            vendorError.names("unsupported_value") || vendorError.names("invalid_value")
            || words.quote("reasoning effort") && effort.withBytes { words.named.name($0) }
        return QuirkFinding([FieldChange(path)], isLasting: !isOfValue)
    }

    // MARK: Abilities

    var lackingAbility: QuirkFinding? {
        let isOfBound = hasWordsOfBounds
        if request["stop"] != nil, isUnsupported || isOfBound,
            isNamed(["stop"]) || words.quote("stopsequences")
        {
            return QuirkFinding(.noStops, isLasting: isUnsupported && !isOfBound)
        }
        let isSaid =
            isUnsupported || words.areAboutCompiling
            || words.containsAny(of: [
                "must be", "should be", "unavailable", "at most 1", "must have a", "is required to be supplied",
                "cannot specify", "is not one of",
            ])
        guard isSaid else { return nil }
        if request["web_search_options"] != nil, names("web_search_options") || words.say("web search") {
            return scoped(.noSearch)
        }
        if request["n"] != nil, names("n") || words.containsAny(of: ["completion choice", "multiple candidates"]) {
            let isOne = (["at most", "must be", "should be", ">"] as [StaticString]).contains {
                words.prose.number(behind: $0) == 1
            }
            return QuirkFinding(.noChoices, isLasting: isOne || isUnsupported && !isOfBound)
        }
        return lackingFormat
    }

    /// The finding that the format of the output is refused, at `text.format` in the Responses API.
    private var lackingFormat: QuirkFinding? {
        let path = request["text"] == nil ? "response_format" : "text.format"
        let param = PhraseMatcher(vendorError.param ?? "")
        guard let format = request.value(at: "\(path).type")?.content,
            words.quoteAny(of: [
                "response_format", "response format", "text.format", "json_", "json schema", "json mode",
                "json response", "response mime type", "grammar", "structured output", "guided decoding",
            ]) || param.say("response_format") || param.say("text.format") || vendorError.param == "text"
        else { return nil }
        if format == "text" {
            return QuirkFinding([FieldChange(path)], beside: OtherField(paths: [path], state: .equal("text")))
        }
        return format == "json_object" ? scoped(.noObjects) : format == "json_schema" ? scoped(.noSchemas) : nil
    }

    // MARK: Web search

    /// The finding that the server refuses the tool for web search beside other tools, which is then left out; nil if
    /// the error is not about this tool.
    var findingOfSearchTool: QuirkFinding? {
        let tools = request.list("tools")
        let searches = tools.indices.filter { tools[$0]["type"]?.content?.hasPrefix("web_search") ?? false }
        guard !searches.isEmpty, searches.count < tools.count, refusesTool(among: searches, of: tools) else {
            return nil
        }
        let types = Set(searches.compactMap { tools[$0]["type"]?.content?.text })
        let changes = types.sorted().map { FieldChange("tools", .dropType($0)) }
        // With the lowest effort, OpenAI's models refuse the search that they have otherwise.
        return QuirkFinding(changes, isLasting: !words.quote("reasoning"))
    }

    private func refusesTool(among searches: [Int], of tools: [RawJSON]) -> Bool {
        guard isUnsupported || words.containsAny(of: Self.phrasesOfForm) else { return false }
        let param = vendorError.param ?? ""
        let index = param.split { !$0.isNumber }.first.flatMap { Int($0) }
        if param.hasPrefix("tools"), let index {
            // A refused field of the tool is left out alone.
            let isOfTool = param.last == "]" || param.last?.isNumber == true || isLast("type", of: param)
            return isOfTool && searches.contains(index)
        }
        let others = tools.compactMap { $0["type"]?.content }.filter { $0 != "function" && !$0.hasPrefix("web_search") }
        if others.contains(where: words.named.name) { return false }
        if words.quoteAny(of: Self.toolNames) { return true }
        return words.quote("function") && (words.quote("tool") || param.hasPrefix("tools"))
            && (words.quote("type") || isLast("type", of: param))
    }

    private static let toolNames: [StaticString] = [
        "web_search", "web search", "hosted tool", "built-in tool", "tool type",
    ]
    private static let phrasesOfForm: [StaticString] = [
        "invalid", "must be", "should be", "expected", "supported values", "unknown", "only function", "only supports",
    ]
}
