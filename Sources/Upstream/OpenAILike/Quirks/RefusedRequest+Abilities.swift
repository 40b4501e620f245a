import Calls
import Engine

extension RefusedRequest {
    /// Whether the request has an image with an HTTP URL, and the error says that images must be data URLs.
    var lacksAddresses: Bool {
        let isOfForm =
            words.quoteAny(of: ["invalid image input", "data url", "data uri", "data:image"])
            || words.say("base64") && (isUnsupported || words.say("only") || words.say("must"))
            || isUnsupported && (words.name("url") || words.name("urls") || words.say("http"))
        guard isOfForm, let messages = request["messages"] else { return false }
        return messages.elements.contains { message in
            message["content"]?.elements.contains { part in
                part["image_url"]?["url"]?.content?.hasPrefix("http") ?? false
            } ?? false
        }
    }

    /// Whether the error says that the vendor's server does not support tools.
    var lacksTools: Bool {
        if words.containsAny(of: ["--enable-auto-tool-choice", "--tool-call-parser", "tools param requires"]) {
            return true
        }
        // These errors refuse tools only in combination with something else.
        guard !words.quote("reasoning_effort"), !words.quote("/responses") else { return false }
        if let param = vendorError.param, param.hasSameBytes(as: "tools") || param.hasSameBytes(as: "functions") {
            return isUnsupported
        }
        return words.containsAny(of: [
            "not support tools", "n't support tools", "not support tool use", "not support tool call",
            "not support function call", "tools is not supported", "tools are not supported",
            "function calling is not supported", "tool calling is not supported", "tool use is not supported",
        ])
    }

    // MARK: The effort

    /// The finding for a refused reasoning effort; nil if the error is not about the effort.
    var findingOfEffort: QuirkFinding? {
        let plain = request["reasoning_effort"]?.content
        // The Responses API has the effort in `reasoning`.
        guard let effort = plain ?? request["reasoning"]?["effort"]?.content else { return nil }
        let isNamed = names(plain == nil ? "effort" : "reasoning_effort")
        let isKnown = LearnedQuirks.efforts.contains { effort.equals($0) }
        let isMeant = isUnsupported && words.containsAny(of: ["support thinking", "reasoningeffort"])
        return isNamed && (isUnsupported || isKnown) || isMeant ? finding(ofEffort: effort) : nil
    }

    /// Returns the finding for a refused reasoning effort; nil if there is no new quirk.
    private func finding(ofEffort effort: UnsafeRawBufferPointer) -> QuirkFinding? {
        if request["tools"] != nil, words.say("tool"), !known.contains(.effortNone), effort != "none" {
            return scoped(.effortNone)
        }
        let reported = LearnedQuirks.efforts.indices.filter { position in
            let name = LearnedQuirks.efforts[position]
            return !effort.equals(name) && words.name(name)
        }
        if !reported.isEmpty, known.isDisjoint(with: .allEfforts) {
            let accepted = reported.map { "\(LearnedQuirks.efforts[$0])" }
            return QuirkFinding(
                reported.reduce(into: []) { $0.formUnion(.effort($1)) },
                when: .otherValue(than: accepted, of: "reasoning_effort"),
                isLasting: words.isComplete
            )
        }
        // Without a list of efforts, the refusal of one effort does not say that there are no others.
        let isOfValue = vendorError.names("unsupported_value") || vendorError.names("invalid_value")
        return new(.noEffort).map { QuirkFinding($0, isLasting: words.isComplete && !isOfValue) }
    }

    // MARK: Abilities

    var lackingAbility: QuirkFinding? {
        let isSaid = isUnsupported || words.say("must be") || words.say("unavailable") || words.say("at most 1")
        guard isSaid else { return nil }
        if request["web_search_options"] != nil, names("web_search_options") || words.say("web search") {
            return scoped(.noSearch)
        }
        if request["n"] != nil, names("n") {
            let isOne = (["at most", "must be", ">"] as [StaticString]).contains { words.number(behind: $0) == 1 }
            let isOfValue = words.containsAny(of: Self.bounds)
            return QuirkFinding(.noChoices, isLasting: words.isComplete && (isOne || isUnsupported && !isOfValue))
        }
        guard let format = request["response_format"]?["type"]?.content,
            words.quoteAny(of: ["response_format", "json_", "json schema", "json mode"])
                || PhraseMatcher(vendorError.param ?? "").say("response_format")
        else { return nil }
        return format == "json_object" ? scoped(.noObjects) : format == "json_schema" ? scoped(.noSchemas) : nil
    }
}
