package import Engine
package import Shared

extension ChatCall {
    /// Reads `POST /v1/chat/completions`. Unknown fields are ignored; known ones that cannot be honoured are refused,
    /// or checked and ignored where a client loses nothing.
    ///
    /// - Parameter defaultModel: for a request that names none.
    package init(_ root: JSONValue, defaultModel: String?) throws(APIError) {
        self.init()
        let fields = try RequestFields(root)
        guard let model = try fields.model() ?? defaultModel, !model.isEmpty else { throw .missing("model") }
        self.model = model
        messages = try readMessages(fields, &parts)
        try readFileIDs(fields)
        if let input = try fields.string("new_input") { messages.append(ChatMessage(role: .user, text: input)) }
        isStreamed = try fields.flag("stream") ?? false
        includesUsage = try Self.includesUsage(fields, isStreamed: isStreamed)
        choices = try Self.choices(fields)
        stops = try Self.stops(fields)
        let most = 1...Int(Int32.max)
        let newer = try fields.integer("max_completion_tokens", most)
        let older = try fields.integer("max_tokens", most)
        maxTokens = newer ?? older
        try readTools(fields)
        try readWebSearch(fields)
        try Self.checkIgnored(fields)
        try Self.refuseUnsupported(fields)
        countIfLong()
    }

    private static func includesUsage(_ fields: RequestFields, isStreamed: Bool) throws(APIError) -> Bool {
        guard let options = try fields.object("stream_options") else { return false }
        guard isStreamed else {
            throw .value("stream_options", "it is only allowed when 'stream' is true")
        }
        guard let value = options["include_usage"] else { return false }
        guard let flag = value.flag else { throw .type("stream_options.include_usage", "a boolean") }
        return flag
    }

    private static func choices(_ fields: RequestFields) throws(APIError) -> Int {
        let choices = try fields.integer("n", 1...Int(Int32.max)) ?? 1
        guard choices <= 8 else { throw .value("n", "at most 8 choices are offered here") }
        return choices
    }

    private static func stops(_ fields: RequestFields) throws(APIError) -> [String] {
        guard let value = fields["stop"] else { return [] }
        if let one = value.text { return try stop(one, "stop").map { [$0] } ?? [] }
        guard let elements = value.elements else { throw .type("stop", "a string or an array of strings") }
        var stops: [String] = []
        for (index, element) in elements.enumerated() {
            guard index < 4 else { throw .value("stop", "at most 4 sequences are allowed") }
            guard let text = element.text else { throw .type("stop[\(index)]", "a string") }
            if let stop = try stop(text, "stop[\(index)]") { stops.append(stop) }
        }
        return stops
    }

    private static let stopLimitBytes = 1_000

    /// Nil: an empty one, which ends nothing.
    private static func stop(_ text: UnsafeRawBufferPointer, _ param: String) throws(APIError) -> String? {
        guard text.count <= stopLimitBytes else { throw .tooLong(param, text.count, limitBytes: stopLimitBytes) }
        return text.isEmpty ? nil : text.text
    }

    /// Files that belong to the whole conversation.
    private mutating func readFileIDs(_ fields: RequestFields) throws(APIError) {
        var index = 0
        for element in try fields.array("file_ids") ?? JSONElements() {
            let param = "file_ids[\(index)]"
            guard let id = element.string else { throw .type(param, "a string") }
            try parts.add(ChatPart(.file, .file(id: id), param: param, spot: nil))
            index += 1
        }
    }

    // MARK: Tools that ask for something of the vendor's

    private mutating func readTools(_ fields: RequestFields) throws(APIError) {
        let areOff = fields["tool_choice"]?.text == "none"
        var index = 0
        for tool in try fields.array("tools") ?? JSONElements() {
            guard let type = tool["type"] else { throw .missing("tools[\(index)].type") }
            switch type.text {
            case "retrieval": webSearch = WebSearch(sites: 3, words: 500)
            case "code_interpreter": wantsCode = true
            case "function":
                if !areOff { throw .unsupported("tools", "Tools of type 'function' are not offered here yet.") }
            case nil: throw .type("tools[\(index)].type", "a string")
            default:
                throw .value("tools[\(index)].type", "this type is not offered here", code: "unsupported_value")
            }
            index += 1
        }
        if let choice = fields["tool_choice"], choice.text != "none", choice.text != "auto", index == 0 {
            throw .value("tool_choice", "it is only allowed when 'tools' are given")
        }
        if var functions = try fields.array("functions"), functions.next() != nil,
            fields["function_call"]?.text != "none"
        {
            throw .unsupported("functions", "Functions are not offered here yet.")
        }
    }

    private mutating func readWebSearch(_ fields: RequestFields) throws(APIError) {
        if let options = try fields.object("web_search_options") {
            var search = WebSearch(sites: 3, words: 500)
            if let size = options["search_context_size"] {
                switch size.text {
                case "low": search.sites = 1
                case "medium": search.sites = 3
                case "high": search.sites = 5
                case nil: throw .type("web_search_options.search_context_size", "a string")
                default: throw .value("web_search_options.search_context_size", "it must be low, medium or high")
                }
            }
            webSearch = search
        }
        if try fields.flag("web_search") ?? false, webSearch == nil { webSearch = WebSearch(sites: 3, words: 500) }
        let sites = try fields.integer("num_of_site", 1...10)
        let words = try fields.integer("max_word", 1...100_000)
        if let sites { webSearch?.sites = sites }
        if let words { webSearch?.words = words }
    }

    // MARK: What has no counterpart

    private static func checkIgnored(_ fields: RequestFields) throws(APIError) {
        _ = try fields.number("temperature", 0...2)
        _ = try fields.number("top_p", 0...1)
        _ = try fields.number("presence_penalty", -2...2)
        _ = try fields.number("frequency_penalty", -2...2)
        if let seed = fields["seed"], seed.kind != .integer { throw .type("seed", "an integer") }
        for name in ["logit_bias", "metadata", "prediction"] as [StaticString] { _ = try fields.object(name) }
        for name in ["store", "parallel_tool_calls"] as [StaticString] { _ = try fields.flag(name) }
        for name in [
            "user", "service_tier", "reasoning_effort", "verbosity", "prompt_cache_key", "safety_identifier",
        ] as [StaticString] {
            _ = try fields.length(name)
        }
    }

    private static func refuseUnsupported(_ fields: RequestFields) throws(APIError) {
        if try fields.flag("logprobs") ?? false {
            throw .unsupported("logprobs", "Log probabilities are not offered here.")
        }
        if let count = try fields.integer("top_logprobs", 0...20), count > 0 {
            throw .unsupported("top_logprobs", "Log probabilities are not offered here.")
        }
        for modality in try fields.array("modalities") ?? JSONElements() where modality.text != "text" {
            throw .unsupported("modalities", "Only text is answered here.")
        }
        if fields["audio"] != nil { throw .unsupported("audio", "Only text is answered here.") }
        guard let format = try fields.object("response_format") else { return }
        guard let type = format["type"] else { throw .missing("response_format.type") }
        switch type.text {
        case "text": break
        case "json_object", "json_schema":
            throw .unsupported("response_format", "Structured output is not offered here yet.")
        case nil: throw .type("response_format.type", "a string")
        default: throw .value("response_format.type", "it must be text, json_object or json_schema")
        }
    }
}
