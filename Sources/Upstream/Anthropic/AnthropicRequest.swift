import Engine
import Shared

/// Writes a chat call as the JSON body of a Messages request, without fields that the model refuses.
struct AnthropicRequest: ~Copyable {
    private var call: ChatCall
    private let chatOptions: ChatOptions
    private let name: String
    private let model: ClaudeModel
    private let dialect: AnthropicDialect
    private let thinking: ThinkingPlan
    /// Whether the system prompt asks for the demanded tool call, because `tool_choice` cannot force a call.
    private let promptsForToolCall: Bool
    /// The cache breakpoints that the request contains: the last four of the call, because the API accepts no more.
    private let marks: [ChatOptions.CacheBreakpoint]
    private let bound: (maxTokens: Int, budget: Int?)
    /// Whether instructions may stand between the turns of the conversation.
    private let supportsSystemTurns: Bool
    private var names = VendorNameMap()
    private var out = ByteBuffer()

    /// The highest token limit with which the relay requests a complete response. With a higher limit, it requests a
    /// stream.
    private static let longTokens = 8_192
    private static let maxCacheBreakpoints = 4

    /// A request body, with the data that is needed to read the response.
    struct WrittenRequest {
        let body: Body
        let names: VendorNameMap
        let maxTokens: Int
        let isStreamed: Bool
    }

    /// - Parameter owner: the caller whose earlier prompts decide about cache breakpoints.
    init(
        _ call: ChatCall,
        _ name: String,
        dialect: AnthropicDialect,
        with quirks: Set<Quirk>,
        for owner: CallQuirks.Owner = .none
    ) {
        // The operators `&&`, `||` and `??` must not read `self`: the compiler then releases what is not yet set.
        let chatOptions = call.chatOptions
        let model = ClaudeModel(name)
        self.call = call
        self.name = name
        self.dialect = dialect
        self.chatOptions = chatOptions
        self.model = model
        let mayMark = chatOptions.cacheBreakpoints.isEmpty && !call.isOfMessages
        let own = mayMark ? dialect.promptCache?.breakpoints(of: call, chatOptions, model, name: name, for: owner) : nil
        marks = own ?? Array(chatOptions.cacheBreakpoints.suffix(Self.maxCacheBreakpoints))
        let isDemanded = chatOptions.toolChoice != .auto && chatOptions.toolChoice != .none
        let supportsForcedToolChoice = model.supportsForcedToolChoice && !quirks.contains(.noForcing)
        promptsForToolCall = !chatOptions.tools.isEmpty && isDemanded && !supportsForcedToolChoice
        let isForced = !chatOptions.tools.isEmpty && isDemanded && supportsForcedToolChoice
        thinking = ThinkingPlan(
            chatOptions.reasoning,
            model,
            canThink: !isForced,
            hasReasoning: Self.hasReasoning(call)
        )
        bound = thinking.bound(call.maxTokens, model)
        supportsSystemTurns = model.supportsSystemTurns && !quirks.contains(.noSystemTurns)
    }

    /// Returns whether each recent assistant turn with tool calls has signed reasoning. Recent turns are those after
    /// the user's last turn without tool results.
    private static func hasReasoning(_ call: borrowing ChatCall) -> Bool {
        var hasResults = false
        var hasCalls = false
        var isReasoning = false
        var isAssistant = false
        for index in call.messages.indices.reversed() {
            let message = call.messages[index]
            if message.role == .assistant {
                if !isAssistant { (isAssistant, hasCalls, isReasoning) = (true, false, false) }
                hasCalls = hasCalls || !message.toolCalls.isEmpty
                isReasoning = isReasoning || message.hasSignedReasoning
                continue
            }
            if isAssistant {
                if hasCalls, !isReasoning { return false }
                (isAssistant, hasResults) = (false, false)
            }
            hasResults = hasResults || message.isResult
            // This is the user's own turn without tool results: earlier turns do not matter.
            if index == 0 || call.messages[index - 1].role == .assistant, !hasResults { return true }
        }
        return !isAssistant || !hasCalls || isReasoning
    }

    private var isStreamed: Bool { call.isStreamed || bound.maxTokens > Self.longTokens }

    consuming func written() -> WrittenRequest {
        _ = out.reserve(512 + call.sentBytes + 64 * call.messages.count)
        out.append("{")
        dialect.appendOpening(name, to: &out)
        out.append(#","max_tokens":"#, decimal: bound.maxTokens)
        for tool in chatOptions.tools { _ = names.name(tool.name) }
        appendTools(called: appendConversation())
        appendOutput()
        appendSampling()
        appendBookkeeping()
        if !call.stops.isEmpty { out.append("stop_sequences", call.stops) }
        if !dialect.isVertex, let mark = marks.mark(at: .anywhere) { out.append(mark) }
        if isStreamed { out.append("stream", true) }
        appendUnknown()
        out.append("}")
        let isStreamed = isStreamed
        return WrittenRequest(
            body: Body(out),
            names: names,
            maxTokens: bound.maxTokens,
            isStreamed: isStreamed
        )
    }

    private static let knownNames: [StaticString] = [
        "model", "anthropic_version", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "stream",
        "output_config", "output_format", "temperature", "top_p", "top_k", "metadata", "service_tier",
        "stop_sequences", "cache_control",
    ]

    /// Appends the members of the client's Messages request that the relay does not know.
    private mutating func appendUnknown() {
        guard let original = call.changedOriginal, original.wire == .messages else { return }
        for member in original.members ?? [] where !Self.knownNames.contains(where: { member.name.equals($0) }) {
            out.append(next: member)
        }
    }

    /// Appends the members `system` and `messages`. Returns the names of the called tools.
    private mutating func appendConversation() -> [[UInt8]] {
        // The demand may differ in the next request, so it follows the conversation: the vendor caches what comes before.
        if promptsForToolCall { call.messages.append(ChatMessage(role: .system, text: demand())) }
        var turns = ClaudeTurns(call, names, marks, supportsSystemTurns: supportsSystemTurns)
        var system = ByteBuffer()
        if turns.appendSystem(to: &system) { out.append(#","system":["#, system.bytes, "]") }
        out.append(#","messages":["#)
        turns.append(to: &out, prefill: model.supportsPrefill && !thinking.isThinking && schema == nil)
        out.append("]")
        let (names, called) = turns.finish()
        self.names = names
        return called
    }

    // MARK: Tools

    /// Returns a sentence that asks the model for the tool call that the client demands.
    private mutating func demand() -> String {
        guard case .named(let name) = chatOptions.toolChoice else {
            return "You must call at least one of the tools now. Do not answer in text."
        }
        let sent = String(decoding: names.name(name), as: UTF8.self)
        return "You must call the tool \"\(sent)\" now. Do not answer in text."
    }

    /// Appends the members `tools` and `tool_choice`.
    private mutating func appendTools(called: [[UInt8]]) {
        // The API requires the declaration of called tools even if the client sent no tools.
        guard !chatOptions.tools.isEmpty else { return appendOldTools(called) }
        let hasSearch = call.sendsSearch && !chatOptions.tools.contains { $0.name.hasSameBytes(as: "web_search") }
        for (index, tool) in chatOptions.tools.enumerated() {
            out.append(index == 0 ? #","tools":[{"name":"# : #",{"name":"#, json: names.name(tool.name))
            if let description = tool.description, !description.isEmpty { out.append("description", description) }
            if appendSchema(of: tool) { out.append("strict", true) }
            if let mark = marks.mark(at: .tool(index)) { out.append(mark) }
            out.append("}")
        }
        if hasSearch {
            out.append(",")
            appendSearch()
        }
        out.append("]")
        // The legacy form allows only one call.
        let isSingle = chatOptions.parallelToolCalls == false || chatOptions.tools.allSatisfy(\.isLegacy)
        switch promptsForToolCall ? .auto : chatOptions.toolChoice {
        case .none: return out.append(#","tool_choice":{"type":"none"}"#)
        case .auto where !isSingle: return
        case .auto: out.append(#","tool_choice":{"type":"auto""#)
        case .required: out.append(#","tool_choice":{"type":"any""#)
        case .named(let name): out.append(#","tool_choice":{"type":"tool","name":"#, json: names.name(name))
        }
        if isSingle { out.append("disable_parallel_tool_use", true) }
        out.append("}")
    }

    static let searchOptions: Set<SearchOption.Kind> = [.allowedDomains, .blockedDomains, .location, .maxUses]

    private mutating func appendSearch() {
        out.append(#"{"type":"web_search_20250305","name":"web_search""#)
        for option in chatOptions.searchOptions {
            switch option.kind {
            case .allowedDomains: out.append("allowed_domains", option.value)
            case .blockedDomains: out.append("blocked_domains", option.value)
            case .location: out.append(location: option.value)
            case .maxUses: out.append("max_uses", option.value)
            case .contextSize, .extent: break
            }
        }
        out.append("}")
    }

    private mutating func appendOldTools(_ called: [[UInt8]]) {
        var seen: Set<[UInt8]> = []
        for name in called where seen.insert(name).inserted {
            out.append(seen.count == 1 ? #","tools":[{"name":"# : #",{"name":"#, json: name)
            out.append(#","input_schema":{"type":"object","properties":{}}}"#)
        }
        if call.sendsSearch {
            out.append(seen.isEmpty ? #","tools":["# : ",")
            appendSearch()
            out.append("]")
        } else if !seen.isEmpty {
            out.append(#"],"tool_choice":{"type":"none"}"#)
        }
    }

    /// Appends a tool's schema. Returns whether Anthropic can follow the schema strictly.
    private mutating func appendSchema(of tool: ChatOptions.Tool) -> Bool {
        let isStrict = tool.isStrict == true && model.supportsStructuredOutputs
        out.append(member: "input_schema")
        guard let schema = tool.schema, !schema.bytes.isEmpty else {
            out.append(#"{"type":"object","properties":{}}"#)
            return isStrict
        }
        let object = ClaudeToolSchema.converted(schema) ?? schema
        if isStrict, ClaudeSchemaFit(of: object) < .narrower, ClaudeSchema.append(object, to: &out) { return true }
        out.append(object.bytes)
        return false
    }

    // MARK: Reasoning and format

    private var schema: Body? { if case .schema(_, let schema?, _) = chatOptions.format { schema } else { nil } }

    private mutating func appendOutput() {
        switch thinking.kind {
        case .unsaid: break
        case .budget:
            if let budget = bound.budget {
                out.append(#","thinking":{"type":"enabled","budget_tokens":"#, decimal: budget)
                out.append("}")
            }
        case .disabled: out.append(#","thinking":{"type":"disabled"}"#)
        case .betweenTools: out.append(#","thinking":{"type":"between_tools"}"#)
        case .adaptive:
            out.append(#","thinking":{"type":"adaptive""#)
            if let display = thinking.display { out.append("display", display.rawValue) }
            out.append("}")
        }
        guard thinking.effort != nil || schema != nil else { return }
        out.append(#","output_config":{"#)
        if let effort = thinking.effort { out.append(#""effort":""#, effort, "\"") }
        if let schema {
            out.append(
                thinking.effort == nil
                    ? #""format":{"type":"json_schema","schema":"# : #","format":{"type":"json_schema","schema":"#
            )
            if !ClaudeSchema.append(schema, to: &out) { out.append(schema.bytes) }
            out.append("}")
        }
        out.append("}")
    }

    // MARK: Other fields

    private mutating func appendSampling() {
        guard dialect.supportsSampling, !thinking.isThinking else { return }
        let sampling = chatOptions.sampling
        let hasTemperature = sampling.temperature != nil
        if model.sampling != .none, let temperature = sampling.temperature {
            out.append("temperature", min(temperature, 1))
        }
        if model.sampling == .both || model.sampling == .one && !hasTemperature, let topP = sampling.topP {
            out.append("top_p", topP)
        }
        if model.sampling != .none, let topK = sampling.topK { out.append("top_k", topK) }
    }

    /// Anthropic's names of service tiers.
    private static let tiers = ["auto": "auto", "default": "auto", "standard_only": "standard_only"]

    private mutating func appendBookkeeping() {
        let kept = chatOptions.bookkeeping
        if let person = kept.safetyIdentifier ?? kept.user, !person.isEmpty {
            out.append(#","metadata":{"user_id":""#)
            out.append(hexDigestOf: person)
            out.append("\"}")
        }
        if let tier = kept.serviceTier.flatMap({ Self.tiers[$0] }) { out.append("service_tier", tier) }
    }
}

extension ChatCall {
    /// Whether the call came as a Messages request, whose client decides about the vendor's cache.
    fileprivate var isOfMessages: Bool { isAmbiguous || opensWithUsage || changedOriginal?.wire == .messages }
}
