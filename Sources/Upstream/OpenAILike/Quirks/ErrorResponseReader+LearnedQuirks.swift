import Engine
import Shared

extension ErrorResponseReader {
    /// Returns the quirk that an error response reveals; nil if there is no new quirk.
    ///
    /// - Parameters:
    ///   - request: the refused request.
    ///   - known: the quirks for which the refused request was already changed.
    func quirk(
        _ head: UpstreamHead,
        _ body: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks
    ) -> LearnedQuirks? {
        guard [400, 422, 500].contains(head.status), case let vendorError = vendorError(head, body),
            !isSpecial(vendorError)
        else {
            return nil
        }
        let refused = RefusedRequest(vendorError, RawJSON(request.bytes), known)
        // Some servers report an error of the model's chat template with status 500.
        return head.status == 500 ? refused.quirkOfTurns : refused.quirk
    }
}

/// A refused request together with its error response, from which a quirk of the server is learned.
private struct RefusedRequest {
    private let vendorError: VendorError
    private let request: RawJSON
    private let known: LearnedQuirks
    private let words: PhraseMatcher
    private let isUnsupported: Bool

    private static let codes = ["unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"]
    private static let phrases: [StaticString] = [
        "not supported", "not currently supported", "not yet supported", "unsupported", "not support", "n't support",
        "not permitted", "not allowed", "extra inputs",
        "extra fields", "unknown parameter", "unknown field", "unknown variant", "unknown name", "unrecognized",
        "unexpected", "no longer", "only the default", "not available", "cannot be used", "use 'max",
        // Cloudflare's spelling of "unsupported".
        "n't suuport",
    ]

    private static let lengths: [StaticString] = [
        "too long", "maximum length", "max length", "length must", "at most", "longer than", "exceed", "64", "pattern",
        "characters",
    ]

    init(_ vendorError: VendorError, _ request: RawJSON, _ known: LearnedQuirks) {
        self.vendorError = vendorError
        self.request = request
        self.known = known
        words = vendorError.words
        isUnsupported = Self.codes.contains { vendorError.names($0) } || words.containsAny(of: Self.phrases)
    }

    /// The quirk for each field that an error may name as unsupported.
    private static let plain: [(StaticString, LearnedQuirks)] = [
        ("max_tokens", .newBound), ("max_completion_tokens", .oldBound), ("stream_options", .noStreamOptions),
        ("temperature", .noTemperature), ("top_p", .noTopP), ("presence_penalty", .noPresencePenalty),
        ("frequency_penalty", .noFrequencyPenalty), ("parallel_tool_calls", .noParallel), ("seed", .randomSeed),
    ]

    var quirk: LearnedQuirks? {
        if lacksAddresses { return new(.noAddresses) }
        if words.say("name"), words.containsAny(of: Self.lengths), ToolNameShortener.finds(in: request) {
            return new(.shortNames)
        }
        if let quirk = quirkOfMessages ?? lackingAbility { return new(quirk) }
        if request["tools"] != nil || request["functions"] != nil, lacksTools { return new(.noTools) }
        guard isUnsupported || words.say("only allowed when") else { return quirkOfEffort }
        let spare = spareFields
        guard isUnsupported else { return spare.isEmpty ? quirkOfEffort : new(spare) }
        for (field, quirk) in Self.plain where request[field] != nil && names(field) { return new(quirk) }
        if !spare.isEmpty { return new(spare) }
        if names("strict"), request["tools"] != nil { return new(.noStrict) }
        if names("tool_choice"), request["tool_choice"]?.content == "required" { return new(.noRequired) }
        return quirkOfEffort
    }

    /// The quirks for all fields in `LearnedQuirks.spareFields` that the error names and the request contains.
    private var spareFields: LearnedQuirks {
        // The word "user" may also mean the role of a message.
        guard vendorError.param != nil || !words.say("role") else { return [] }
        var quirks: LearnedQuirks = []
        for (position, field) in LearnedQuirks.spareFields.enumerated() where names(field) {
            if request[field] != nil || request["text"]?[field] != nil { quirks.insert(.spare(position)) }
        }
        return quirks
    }

    /// Returns the quirk; nil if the request was already changed for it.
    private func new(_ quirk: LearnedQuirks) -> LearnedQuirks? { known.isSuperset(of: quirk) ? nil : quirk }

    /// Returns whether the error names the field, in its `param` or in its message.
    private func names(_ field: StaticString) -> Bool {
        if let param = vendorError.param {
            return isLast(field, of: param) || vendorError.otherParams.contains { isLast(field, of: $0) }
        }
        return words.name(field)
    }

    /// Returns whether a path ends with the field: `messages[0].name` ends with `name`.
    private func isLast(_ field: StaticString, of param: String) -> Bool {
        let last = param.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).last
        return last.map { Array($0).withUnsafeBytes { $0.equals(field) } } ?? false
    }

    /// Whether the request has an image with an HTTP URL, and the error says that images must be data URLs.
    private var lacksAddresses: Bool {
        let isOfForm =
            words.containsAny(of: ["invalid image input", "data url", "data uri", "data:image"])
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
    private var lacksTools: Bool {
        if words.containsAny(of: ["--enable-auto-tool-choice", "--tool-call-parser", "tools param requires"]) {
            return true
        }
        // These errors refuse tools only in combination with something else.
        guard !words.say("reasoning_effort"), !words.say("/responses") else { return false }
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

    /// The quirk for a refused reasoning effort; nil if the error is not about the effort.
    private var quirkOfEffort: LearnedQuirks? {
        let plain = request["reasoning_effort"]?.content
        // The Responses API has the effort in `reasoning`.
        guard let effort = plain ?? request["reasoning"]?["effort"]?.content else { return nil }
        let isNamed = names(plain == nil ? "effort" : "reasoning_effort")
        let isKnown = LearnedQuirks.efforts.contains { effort.equals($0) }
        let isMeant = isUnsupported && words.containsAny(of: ["support thinking", "reasoningeffort"])
        return isNamed && (isUnsupported || isKnown) || isMeant ? quirk(ofEffort: effort) : nil
    }

    /// Returns the quirk for a refused reasoning effort; nil if there is no new quirk.
    private func quirk(ofEffort effort: UnsafeRawBufferPointer) -> LearnedQuirks? {
        if request["tools"] != nil, words.say("tool"), !known.contains(.effortNone), effort != "none" {
            return .effortNone
        }
        var reported: LearnedQuirks = []
        for (position, name) in LearnedQuirks.efforts.enumerated() where !effort.equals(name) && words.name(name) {
            reported.insert(.effort(position))
        }
        if !reported.isEmpty, known.isDisjoint(with: .allEfforts) { return reported }
        return new(.noEffort)
    }

    // MARK: Abilities

    private var lackingAbility: LearnedQuirks? {
        let isSaid =
            isUnsupported || words.say("must be") || words.say("unavailable") || words.say("at most 1")
        guard isSaid else { return nil }
        if request["web_search_options"] != nil, names("web_search_options") || words.say("web search") {
            return .noSearch
        }
        if request["n"] != nil, names("n") { return .noChoices }
        guard let format = request["response_format"]?["type"]?.content,
            words.containsAny(of: ["response_format", "json_", "json schema", "json mode"])
                || PhraseMatcher(vendorError.param ?? "").say("response_format")
        else { return nil }
        return format == "json_object" ? .noObjects : format == "json_schema" ? .noSchemas : nil
    }

    // MARK: Messages

    private var quirkOfMessages: LearnedQuirks? {
        if words.say("length of 9") { return .shortIDs }
        if words.say("tool_call"), words.say("too long") { return .noLongIDs }
        if let quirk = quirkOfTurns { return quirk }
        let messages = Array((request["messages"]?.elements).map { Array($0) } ?? [])
        if words.say("reasoning_content"), words.containsAny(of: ["passed back", "missing", "required"]),
            messages.contains(where: \.lacksReasoning)
        {
            return .reasoningBack
        }
        if isUnsupported, let quirks = unknownReasoning(messages) { return quirks }
        if words.say("developer"), messages.contains(where: { $0["role"]?.content == "developer" }) {
            return .noDeveloper
        }
        if isUnsupported, messages.contains(where: { $0["name"] != nil }),
            names("name")
        {
            return .noNames
        }
        if vendorError.names("empty_array") || words.say("empty array"),
            messages.contains(where: { $0["content"]?.isEmptyArray ?? false })
        {
            return new(.emptyContent)
        }
        // An error of serde without the field's name, such as "messages[0]: invalid type: sequence, expected a string".
        let isOfList = words.say("messages[") && words.say("invalid type: sequence")
        guard isOfList || words.say("content") || isLast("content", of: vendorError.param ?? "") else { return nil }
        let isTyped =
            words.say("string") || words.say("sequence") || words.say("null") || words.say("none")
        guard isTyped || words.say("required") || words.say("missing") else { return nil }
        if !isOfList, messages.contains(where: { $0["content"]?.isNull ?? true }), !known.contains(.emptyContent) {
            return .emptyContent
        }
        return messages.contains { $0["content"]?.isArray ?? false } ? .joinedContent : nil
    }

    /// Returns the quirks for reasoning fields that the vendor does not know; nil if none are new.
    private func unknownReasoning(_ messages: [RawJSON]) -> LearnedQuirks? {
        var quirks: LearnedQuirks = []
        if names("reasoning_content"), messages.contains(where: { $0["reasoning_content"] != nil }) {
            quirks.insert(.noReasoning)
        }
        if names("extra_content"), messages.contains(where: \.hasExtraContent) { quirks.insert(.noExtraContent) }
        return new(quirks)
    }

    /// The quirk for a refused order of the messages; nil if the error is not about their order.
    var quirkOfTurns: LearnedQuirks? {
        let isOfOrder = words.say("must alternate") || words.say("should alternate")
        guard isOfOrder || isSystemMisplaced else { return nil }
        return isOfOrder || known.contains(.oneInstruction) ? new(.mergedTurns) : .oneInstruction
    }

    /// Whether the error is about a system message after the first message.
    private var isSystemMisplaced: Bool {
        guard words.say("system") else { return false }
        let isSaid =
            words.say("system message must be") && (words.say("beginning") || words.say("first"))
            || words.containsAny(of: [
                "unexpected role 'system'", "unexpected role 'developer'", "but got system", "only one system message",
                "multiple system messages", "system message must come first", "system messages must come first",
                "system message is only allowed", "system message should be the first",
            ])
        guard isSaid, let messages = request["messages"]?.elements else { return false }
        return messages.dropFirst().contains { message in
            let role = message["role"]?.content
            return role == "system" || role == "developer"
        }
    }
}
