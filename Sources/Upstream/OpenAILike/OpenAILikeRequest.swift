import Engine
import Shared

/// A writer that makes a request to the chat completions API from a parsed chat call.
struct OpenAILikeRequest: ~Copyable {
    private let call: ChatCall
    private let chatOptions: ChatOptions
    private let model: String
    private let isOpenAI: Bool
    /// Whether the reasoning that led to tool calls is written into the message with these calls.
    private let wantsReasoning: Bool
    private let signatures: CallSignatures?
    private var out = ByteBuffer()

    init(
        _ call: ChatCall,
        model: String,
        isOpenAI: Bool,
        wantsReasoning: Bool = false,
        signatures: CallSignatures? = nil
    ) {
        self.signatures = signatures
        self.call = call
        chatOptions = call.chatOptions
        self.model = model
        self.isOpenAI = isOpenAI
        self.wantsReasoning = wantsReasoning
    }

    consuming func written() -> Body {
        _ = out.reserve(512 + call.sentBytes + 48 * call.messages.count)
        out.append(#"{"model":"#, json: model, #","messages":["#)
        var messages = MessageWriter(call.attachments, wantsReasoning: wantsReasoning, signatures)
        messages.append(call.messages, to: &out)
        out.append("]")
        appendTools()
        appendFormat()
        appendSampling()
        let original = call.original ?? call.changedOriginal
        appendChatOptions(beside: original?.members)
        if call.choices > 1 { out.append("n", call.choices) }
        if !call.stops.isEmpty { out.append("stop", call.stops) }
        if let most = call.maxTokens { out.append(isOpenAI ? "max_completion_tokens" : "max_tokens", most) }
        if call.isStreamed { out.append(#","stream":true,"stream_options":{"include_usage":true}"#) }
        if call.sendsSearch, !call.hasSearchOptions { appendSearch() }
        if let original { NativeRequest.appendUnknown(of: original, to: &out) }
        out.append("}")
        return Body(out)
    }

    // MARK: Tools and formats

    private mutating func appendTools() {
        let tools = chatOptions.tools
        // Without tools no calls are made, also by servers that ignore `none`. If earlier messages have calls, some
        // servers need the tools.
        if chatOptions.toolChoice == .none, !call.keepsTools { return }
        appendList("tools", tools.filter { !$0.isLegacy })
        appendList("functions", tools.filter(\.isLegacy))
        guard !tools.isEmpty else { return }
        let isLegacy = tools.allSatisfy(\.isLegacy)
        switch chatOptions.toolChoice {
        case .auto: break
        case .none: out.append(isLegacy ? #","function_call":"none""# : #","tool_choice":"none""#)
        case .required: if !isLegacy { out.append(#","tool_choice":"required""#) }
        case .named(let name): appendChoice(name, isLegacy)
        }
        if let parallel = chatOptions.parallelToolCalls, !isLegacy { out.append("parallel_tool_calls", parallel) }
    }

    private mutating func appendChoice(_ name: String, _ isLegacy: Bool) {
        if isLegacy {
            return out.append(#","function_call":{"name":"#, json: name, "}")
        }
        let isCustom = chatOptions.tools.contains { $0.kind == .custom && $0.name.hasSameBytes(as: name) }
        out.append(#","tool_choice":{"type":""#)
        out.append(isCustom ? #"custom","custom":{"name":"# : #"function","function":{"name":"#, json: name, "}}")
    }

    private mutating func appendList(_ name: StaticString, _ tools: [ChatOptions.Tool]) {
        guard !tools.isEmpty else { return }
        out.append(member: name)
        for (index, tool) in tools.enumerated() {
            out.append(index == 0 ? "[" : ",")
            switch (tool.isLegacy, tool.kind) {
            case (true, _): append(tool, schema: "parameters")
            case (_, .function):
                out.append(#"{"type":"function","function":"#)
                append(tool, schema: "parameters")
                out.append("}")
            case (_, .custom):
                out.append(#"{"type":"custom","custom":"#)
                append(tool, schema: "format")
                out.append("}")
            }
        }
        out.append("]")
    }

    private mutating func append(_ tool: ChatOptions.Tool, schema name: StaticString) {
        out.append(#"{"name":"#, json: tool.name)
        if let description = tool.description { out.append("description", description) }
        if let schema = tool.schema, tool.isLegacy {
            out.append(name, schema)
        } else if let schema = tool.schema {
            out.append(member: name)
            // Clients of other APIs need not complete their schemas.
            CompleteSchema.append(RawJSON(schema.bytes), to: &out)
        }
        if let isStrict = chatOptions.strict(tool.isStrict, tool.schema), tool.kind == .function {
            out.append("strict", isStrict)
        }
        out.append("}")
    }

    private mutating func appendFormat() {
        switch chatOptions.format {
        case .text: break
        case .object: out.append(#","response_format":{"type":"json_object"}"#)
        case .schema(let name, let schema, let isStrict):
            out.append(#","response_format":{"type":"json_schema","json_schema":{"name":"#, json: name)
            if let schema { out.append("schema", schema) }
            if let isStrict = chatOptions.strict(isStrict, schema) { out.append("strict", isStrict) }
            out.append("}}")
        }
    }

    // MARK: The rest

    private mutating func appendSampling() {
        let sampling = chatOptions.sampling
        if let temperature = sampling.temperature { out.append("temperature", temperature) }
        if let topP = sampling.topP { out.append("top_p", topP) }
        if let penalty = sampling.presencePenalty { out.append("presence_penalty", penalty) }
        if let penalty = sampling.frequencyPenalty { out.append("frequency_penalty", penalty) }
        if let seed = sampling.seed { out.append("seed", Int(seed)) }
        if let bias = sampling.logitBias { out.append("logit_bias", bias) }
    }

    static let searchOptions: Set<SearchOption.Kind> = [.contextSize, .location]

    private mutating func appendSearch() {
        var search = ByteBuffer()
        for option in chatOptions.searchOptions {
            switch option.kind {
            case .contextSize: search.append("search_context_size", option.value)
            case .location:
                search.append(#","user_location":{"type":"approximate","approximate":"#, option.value.bytes, "}")
            case .allowedDomains, .blockedDomains, .extent, .maxUses: break
            }
        }
        out.append(#","web_search_options":{"#, search.bytes[part: min(1, search.count)..<search.count], "}")
    }

    /// - Parameter unknown: the members of the request whose unknown fields go on; nil if they do not.
    private mutating func appendChatOptions(beside unknown: [RawJSON.Member]?) {
        if chatOptions.reasoning.isOfServers, let unknown {
            for member in unknown where member.name.equals("reasoning_effort") { out.append(next: member) }
        } else if let effort = chatOptions.reasoning.plainEffort {
            out.append("reasoning_effort", effort)
        }
        if let verbosity = chatOptions.reasoning.verbosity { out.append("verbosity", verbosity) }
        let kept = chatOptions.bookkeeping
        out.append(kept)
        if let store = kept.store { out.append("store", store) }
        if let prediction = kept.prediction { out.append("prediction", prediction) }
    }
}
