import Engine
import Shared
import Upstream

/// A parsed request of the Responses API. Stored items that the request refers to are loaded later.
struct ResponseDraft: Sendable {
    enum Purpose: Sendable {
        case response
        /// A request that was sent to `/v1/chat/completions`, so the response is a chat completion.
        case chat
        case count
        case compaction
    }

    var call = ChatCall()
    var input = ItemList()
    var history = HistoryMemory()
    let instructions: String?
    let previousID: String?
    private(set) var isStored = false
    private var mayBeEmpty = false
    /// Whether items that only the Responses API knows may go to a vendor with this API.
    private(set) var passesOwn = false
    /// Whether the client asks for a compaction of the conversation.
    private(set) var isCompacting = false
    /// Whether items of the input have ids or signatures that the relay has made, which no vendor knows.
    private var hasRelayIDs = false
    /// Whether the input has messages of the user with ids that a compaction of the relay has given to them.
    private var hasCompactedMessages = false
    /// Whether the input has reasoning whose signature a stored response may have.
    private(set) var lacksSignatures = false
    var names = ToolNames()
    /// Whether the response shows reasoning as a summary, because the request asks for one.
    private(set) var wantsSummary = false
    /// The response's members that repeat request fields, as JSON text separated by commas.
    private(set) var echo = Body(ByteBuffer())

    /// Whether a vendor of the Responses API could answer the request as it came.
    ///
    /// The relay's own compactions are replaced before.
    var isWhole: Bool {
        !isStored && previousID == nil && !input.namesStoredItems && !isCompacting && !hasRelayIDs
            && (!hasCompactedMessages || input.hasCompactions)
    }
    var hasReferences: Bool { previousID != nil || input.hasReferences || lacksSignatures }

    /// Creates a draft from the body of a Responses API request.
    /// - Parameter toleratesUnknown: whether a vendor may get the request as it came, so that content which the relay does
    ///   not understand is no error yet.
    init(
        _ root: JSONValue,
        defaultModel: String?,
        for purpose: Purpose,
        toleratesUnknown: Bool = false
    ) throws(APIError) {
        let fields = try RequestFields(root)
        instructions = try fields.string("instructions")
        previousID = try fields.string("previous_response_id", limitBytes: 256)
        try Self.refuse(fields)
        call.model = try fields.model() ?? ""
        // The previous response may determine the model.
        if call.model.isEmpty, previousID == nil {
            guard defaultModel != nil || purpose == .count else { throw .missing("model") }
            call.model = defaultModel ?? ""
        }
        isStored = try fields.flag("store") ?? true
        call.isStreamed = try fields.flag("stream") ?? false
        call.keepsMessages = purpose == .response
        _ = try fields.object("stream_options")
        call.maxTokens = try fields.integer("max_output_tokens", 1...Int(Int32.max))
        if call.maxTokens != nil { call.needs.insert(.tokenBound) }
        let tools = try readInput(fields, purpose, toleratesUnknown: toleratesUnknown && !isStored)
        names = tools.names
        try readChatOptions(fields, tools)
        if purpose == .response { echo = Body(try Self.echo(fields, call, tools: tools)) }
        mayBeEmpty = purpose == .count
        if !hasReferences { try completeCall() }
    }

    /// Sets the messages and options of the draft's call. All stored items that the request refers to must be loaded
    /// before.
    mutating func completeCall() throws(APIError) {
        var isAmbiguous = false
        settleOwnItems()
        call.messages = try input.messages(after: instructions, isAmbiguous: &isAmbiguous)
        if isAmbiguous { call.distinguishCalls() }
        guard mayBeEmpty || call.unreadError != nil || !call.messages.isEmpty else {
            throw .emptyArray("input")
        }
        call.attachments = input.attachments
        if !call.attachments.isEmpty { call.needs.insert(.inlineMedia) }
        let (effort, format) = input.configuration
        if effort != nil || format != nil {
            var chatOptions = call.chatOptions
            if let effort { chatOptions.reasoning.effort = effort }
            if let format {
                call.needs.subtract([.objects, .schemas])
                chatOptions.format = format
                call.needs.formUnion(format.ability)
            }
            call.chatOptions = chatOptions
        }
        call.countIfLong()
    }

    /// Reads `tools` and `input`. Returns the tools of both, because input items can add tools.
    private mutating func readInput(
        _ fields: RequestFields,
        _ purpose: Purpose,
        toleratesUnknown: Bool
    ) throws(APIError) -> ToolReader {
        var tools = ToolReader(passesOwn: purpose == .response || purpose == .chat)
        passesOwn = tools.passesOwn
        try tools.read(try fields.array("tools") ?? JSONElements(), "tools")
        let keeping: InputReader.Keeping =
            switch purpose {
            case .response: isStored ? .digests : .nothing
            case .compaction: .all
            case .chat, .count: .nothing
            }
        var reader = InputReader(keeping: keeping, tools)
        reader.toleratesUnknown = toleratesUnknown
        if let value = fields["input"] {
            try reader.read(value)
        } else if previousID == nil, purpose != .count {
            throw .missing("input")
        }
        input = reader.list
        lacksSignatures = isStored && input.items.contains(where: \.lacksSignature)
        call.unreadError = reader.unreadError
        hasRelayIDs = reader.hasRelayIDs
        hasCompactedMessages = reader.hasCompactedMessages
        if let trigger = reader.trigger {
            guard purpose != .chat else { throw .value(trigger, "a chat completion cannot be a compaction") }
            isCompacting = purpose == .response
            if isCompacting { call.needs.insert(.compaction) }
        }
        return reader.tools
    }

    /// Throws if the request has an unsupported field that must not be ignored, such as `background`.
    private static func refuse(_ fields: RequestFields) throws(APIError) {
        if try fields.flag("background") ?? false {
            throw .unsupported("background", "Background responses are not supported.")
        }
        if fields["conversation"] != nil {
            throw .unsupported("conversation", "Conversations are not supported. Use 'previous_response_id'.")
        }
        if fields["prompt"] != nil { throw .unsupported("prompt", "Stored prompts are not supported.") }
        try fields.refuseBlocking()
        for (index, name) in (try fields.array("include") ?? JSONElements()).enumerated() {
            guard let text = name.text else { throw .type("include[\(index)]", "a string") }
            guard !text.equals("message.output_text.logprobs") else {
                throw .unsupported("include[\(index)]", "Log probabilities are not supported.")
            }
        }
    }

    // MARK: Options

    private mutating func readChatOptions(_ fields: RequestFields, _ tools: ToolReader) throws(APIError) {
        var given = GivenOptions()
        var own = tools.own
        try readChoice(fields, tools, &given, &own)
        try given.readSampling(fields)
        try given.readBookkeeping(fields)
        try fields.checkMetadata()
        // `store` concerns only the responses that the relay stores.
        given.options.bookkeeping.store = nil
        try call.readLogProbabilities(fields, &given)
        given.options.reasoning.isOfResponses = true
        if let reasoning = try fields.object("reasoning") {
            try GivenOptions.set(
                &given.options.reasoning.effort,
                reasoning.string("effort", "reasoning"),
                &given.hasAny
            )
            // Also words that OpenAI adds later.
            let older = try reasoning.string("generate_summary", "reasoning")
            let summary = try reasoning.string("summary", "reasoning") ?? older
            GivenOptions.set(&given.options.reasoning.summary, summary, &given.hasAny)
            wantsSummary = summary != nil
        }
        if let text = try fields.object("text") {
            try GivenOptions.set(&given.options.reasoning.verbosity, text.string("verbosity", "text"), &given.hasAny)
            if let format = try text.object("format", "text") {
                given.options.format = try ChatOptions.Format(format, "text.format", inner: nil)
                call.needs.insert(given.options.format.ability)
                given.hasAny = true
            }
        }
        _ = try fields.choice("truncation", ["auto", "disabled"])
        let limitsSearches = try limitSearches(fields, &given.options, own)
        // A vendor that gets the request as it came gets this, too.
        if isStored, fields["moderation"] != nil {
            given.options.ignore("moderation")
            given.hasAny = true
        }
        if passesOwn { own.readFields(fields, limitsSearches: limitsSearches) }
        if !own.isEmpty {
            if own.refusal != nil { call.needs.insert(.ownItems) }
            given.options.own = Indirect(own)
            given.hasAny = true
        }
        given.move(to: &call)
    }

    /// Returns whether `max_tool_calls` limits the searches, because they are the only calls that it counts.
    private func limitSearches(
        _ fields: RequestFields,
        _ chatOptions: inout ChatOptions,
        _ own: OwnParts
    ) throws(APIError) -> Bool {
        guard let most = try fields.integer("max_tool_calls", 0...Int(Int32.max)), most > 0,
            chatOptions.searchTool != nil, own.tools.isEmpty
        else { return chatOptions.searchOptions.contains { $0.kind == .maxUses } }
        if !chatOptions.searchOptions.contains(where: { $0.kind == .maxUses }) {
            chatOptions.searchOptions.append(SearchOption(maxUses: most, "max_tool_calls"))
        }
        return true
    }

    private mutating func readChoice(
        _ fields: RequestFields,
        _ tools: ToolReader,
        _ given: inout GivenOptions,
        _ own: inout OwnParts
    ) throws(APIError) {
        given.options.tools = tools.tools
        given.options.searchTool = tools.searchTool
        given.options.searchOptions = tools.searchOptions
        if tools.searchTool != nil { given.hasAny = true }
        var isSearch = false
        if let choice = fields["tool_choice"] {
            isSearch = tools.searchTool != nil && choice.isSearchChoice
            if !isSearch { try read(choice, &given.options, &own) }
        }
        call.settleSearch(&given.options, isForced: isSearch)
        try GivenOptions.set(&given.options.parallelToolCalls, fields.flag("parallel_tool_calls"), &given.hasAny)
        guard !given.options.tools.isEmpty else {
            if !own.tools.isEmpty { return }
            switch given.options.toolChoice {
            case .auto, .none: return
            case .required, .named: throw .value("tool_choice", "is only allowed when 'tools' are given")
            }
        }
        given.hasAny = true
        call.needTools(by: given.options.toolChoice)
    }

    // MARK: Members of the response that repeat the request

    private static func echo(
        _ fields: RequestFields,
        _ call: ChatCall,
        tools: ToolReader
    ) throws(APIError) -> ByteBuffer {
        var text = ByteBuffer()
        text.append(member: "instructions", of: fields, or: "null")
        text.append(member: "max_output_tokens", of: fields, or: "null")
        text.append(#","max_tool_calls":"#)
        text.append(try fields.integer("max_tool_calls", 0...Int(Int32.max)).map { "\($0)" } ?? "null")
        text.append(member: "metadata", of: fields, or: "{}")
        text.append(#","parallel_tool_calls":"#)
        text.append(call.chatOptions.parallelToolCalls ?? true ? "true" : "false")
        text.append(member: "previous_response_id", of: fields, or: "null")
        text.append(member: "reasoning", of: fields, or: #"{"effort":null,"summary":null}"#)
        text.append(member: "temperature", of: fields, or: "1")
        text.append(#","text":{"format":"#)
        text.append(fields["text"]?["format"], or: #"{"type":"text"}"#)
        text.append(#","verbosity":"#)
        text.append(fields["text"]?["verbosity"], or: "\"medium\"")
        text.append("}")
        // OpenAI's schema of responses has only this spelling of the search.
        if fields["tool_choice"]?["type"]?.text?.hasPrefix("web_search") ?? false {
            text.append(#","tool_choice":{"type":"web_search_preview"}"#)
        } else {
            text.append(member: "tool_choice", of: fields, or: "\"auto\"")
        }
        text.append(#","tools":["#)
        text.append(list: tools.echo) { tool, text in text.append(tool.bytes) }
        text.append(#"],"top_logprobs":0"#)
        text.append(member: "top_p", of: fields, or: "1")
        text.append(member: "truncation", of: fields, or: "\"disabled\"")
        for name: StaticString in ["user", "safety_identifier", "prompt_cache_key"] where fields[name] != nil {
            text.append(member: name, of: fields, or: "null")
        }
        return text
    }
}

extension ByteBuffer {
    fileprivate mutating func append(_ value: JSONValue?, or other: StaticString) {
        if let value { value.append(to: &self) } else { append(other) }
    }

    /// Appends a field of the request as the next member; the text `other` if the request does not have the field.
    fileprivate mutating func append(member name: StaticString, of fields: RequestFields, or other: StaticString) {
        append(isEmpty ? "\"" : ",\"", name, "\":")
        append(fields[name], or: other)
    }
}

extension JSONValue {
    /// Whether the value of `tool_choice` forces a web search, directly or as the only allowed tool.
    var isSearchChoice: Bool {
        guard let type = self["type"]?.text else { return false }
        if type.hasPrefix("web_search") || type.equals("google_search") { return true }
        guard type.equals("allowed_tools"), let allowed = (self["allowed_tools"] ?? self)["tools"]?.elements else {
            return false
        }
        return allowed.allSatisfy(\.isSearchChoice)
    }
}

/// A reader for `tool_choice` in the form of the Responses API.
struct ToolDemandReader {
    private let choice: JSONValue
    /// The names of all tools in the request, as bytes.
    private let names: Set<[UInt8]>

    init(_ choice: JSONValue, _ tools: [ChatOptions.Tool]) {
        self.choice = choice
        names = Set(tools.map { Array($0.name.utf8) })
    }

    func read(_ chatOptions: inout ChatOptions) throws(APIError) {
        if let word = try ChatOptions.ToolChoice(word: choice, "tool_choice") {
            chatOptions.toolChoice = word
            return
        }
        switch try choice.requiredText("type", "tool_choice") {
        case "function", "custom": chatOptions.toolChoice = .named(try name(of: choice, "tool_choice"))
        case "allowed_tools": try readAllowed(&chatOptions)
        default: throw .unsupportedValue("tool_choice.type", "this type is not supported")
        }
    }

    private func readAllowed(_ chatOptions: inout ChatOptions) throws(APIError) {
        guard let list = choice["tools"]?.elements else { throw .missing("tool_choice.tools") }
        var allowed: Set<[UInt8]> = []
        for (index, tool) in list.enumerated() {
            allowed.insert(Array(try name(of: tool, "tool_choice.tools[\(index)]").utf8))
        }
        try chatOptions.restrictTools(to: allowed, choice["mode"], "tool_choice")
    }

    private func name(of value: JSONValue, _ param: String) throws(APIError) -> String {
        let (inner, param) = value["name"] == nil ? try value.inner("function", param) : (value, param)
        let name = ToolNames.offered(
            try inner.toolName(param, limitBytes: ToolReader.nameBytes),
            in: try inner.string("namespace", param)
        )
        guard names.contains(Array(name.utf8)) else { throw .value(param, "'tools' has no tool of this name") }
        return name
    }
}
