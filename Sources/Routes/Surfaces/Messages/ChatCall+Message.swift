import Engine
import Shared
import Upstream

extension ChatCall {
    /// Creates a call from the body of `POST /v1/messages`. Throws if a value is invalid. Ignores unknown fields.
    init(
        message root: JSONValue,
        defaultModel: String?,
        _ reading: MessageReading = MessageReading()
    ) throws(APIError) {
        self.init()
        var reading = reading
        let fields = try RequestFields(root)
        guard let model = try fields.model() ?? defaultModel, !model.isEmpty else { throw .missing("model") }
        self.model = model
        try reading.tolerating { () throws(APIError) in try Self.checkServices(fields) }
        var given = GivenOptions()
        given.options.cacheBreakpoints = try readConversation(fields, &reading)
        if let mark = ChatOptions.CacheBreakpoint(.anywhere, of: root) { given.options.cacheBreakpoints.append(mark) }
        if !reading.isCounted {
            isStreamed = try fields.flag("stream") ?? false
            opensWithUsage = isStreamed
            try reading.tolerating { () throws(APIError) in
                guard let bound = try fields.integer("max_tokens", 1...Int(Int32.max)) else {
                    throw .missing("max_tokens")
                }
                maxTokens = bound
                needs.insert(.tokenBound)
            }
        }
        try reading.tolerating { () throws(APIError) in stops = try Self.stopSequences(fields) }
        if !stops.isEmpty { needs.insert(.stops) }
        if !attachments.isEmpty { needs.insert(.inlineMedia) }
        given.hasAny = !given.options.cacheBreakpoints.isEmpty
        try readMessageTools(fields, &given, &reading)
        try reading.tolerating { () throws(APIError) in
            try given.readMessageSampling(fields)
            try readOutput(fields, &given)
        }
        given.options.findLooseSchemas()
        for name in Self.fieldsOfAnthropic where fields[name] != nil {
            given.options.ignore("\(name)")
            given.hasAny = true
        }
        given.move(to: &self)
        unreadError = reading.error
        countIfLong()
    }

    /// Throws if the request asks for a service of Anthropic's that the relay does not offer.
    private static func checkServices(_ fields: RequestFields) throws(APIError) {
        guard fields["thread"] == nil else { throw .noThreads }
        if try fields.array("mcp_servers")?.contains(where: { _ in true }) ?? false {
            throw .unsupported(
                "mcp_servers",
                "'mcp_servers' is not supported. Send the tools of these servers in 'tools'."
            )
        }
    }

    /// The fields that vendors with another API do not have.
    private static let fieldsOfAnthropic: [StaticString] = [
        "context_management", "safeguards", "diagnostics", "speed", "container", "fallbacks", "inference_geo",
    ]

    /// Reads the system prompt and the messages. Returns the cache breakpoints in them.
    private mutating func readConversation(
        _ fields: RequestFields,
        _ reading: inout MessageReading
    ) throws(APIError) -> [ChatOptions.CacheBreakpoint] {
        var reader = TurnReader(reading)
        try reading.tolerating { () throws(APIError) in
            if let system = fields["system"] { try reader.readSystem(system) }
            guard let list = try fields.array("messages") else { throw .missing("messages") }
            try reader.read(list)
        }
        if let error = reader.reading.error { try reading.tolerate(error) }
        messages = reader.messages
        attachments = reader.attachments
        if reader.calls.isAmbiguous { distinguishCalls() }
        return reader.cacheBreakpoints
    }

    private static let maxStops = 64

    private static func stopSequences(_ fields: RequestFields) throws(APIError) -> [String] {
        var stops: [String] = []
        var index = 0
        for element in try fields.array("stop_sequences") ?? JSONElements() {
            let param = "stop_sequences[\(index)]"
            guard index < maxStops else { throw .value("stop_sequences", "at most \(maxStops) are allowed") }
            guard let text = element.text else { throw .type(param, "a string") }
            if let stop = try stop(text, param) { stops.append(stop) }
            index += 1
        }
        return stops
    }

    /// Reads `thinking`, `output_config` and the legacy `output_format` into `given`.
    private mutating func readOutput(_ fields: RequestFields, _ given: inout GivenOptions) throws(APIError) {
        if let thinking = try fields.object("thinking") {
            try given.readThinking(thinking)
            given.hasAny = given.hasAny || given.options.reasoning.thinking != nil
        }
        var format = try fields.object("output_format")
        var param = "output_format"
        if let config = try fields.object("output_config") {
            if let effort = try config.string("effort", "output_config") {
                given.options.reasoning.effort = effort
                if given.options.reasoning.thinking == nil { given.options.reasoning.thinking = .unsaid }
                given.hasAny = true
            }
            if config.has("task_budget") {
                given.options.ignore("output_config.task_budget")
                given.hasAny = true
            }
            if let inner = try config.object("format", "output_config") {
                format = inner
                param = "output_config.format"
            }
        }
        guard let format else { return }
        guard let type = format["type"] else { throw .missing("\(param).type") }
        guard type.text == "json_schema" else { throw .value("\(param).type", "must be json_schema") }
        guard let schema = try format.object("schema", param) else { throw .missing("\(param).schema") }
        given.options.format = .schema(name: "answer", schema: schema.body, isStrict: true)
        needs.formUnion(given.options.format.ability)
        given.hasAny = true
    }
}

extension GivenOptions {
    fileprivate mutating func readMessageSampling(_ fields: RequestFields) throws(APIError) {
        try Self.set(&options.sampling.temperature, fields.number("temperature", 0...1), &hasAny)
        try Self.set(&options.sampling.topP, fields.number("top_p", 0...1), &hasAny)
        try Self.set(&options.sampling.topK, fields.integer("top_k", 0...Int(Int32.max)), &hasAny)
        if let metadata = try fields.object("metadata") {
            try Self.set(&options.bookkeeping.user, metadata.string("user_id", "metadata"), &hasAny)
            options.bookkeeping.isUserPrivate = true
        }
        try Self.set(&options.bookkeeping.serviceTier, fields.string("service_tier"), &hasAny)
        Self.set(&options.bookkeeping.speed, fields["speed"]?.string, &hasAny)
    }
}
