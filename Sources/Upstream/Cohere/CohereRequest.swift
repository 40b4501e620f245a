import Engine
import Shared

/// Writes a chat call as the JSON body of a request to Cohere's Chat API.
struct CohereRequest: ~Copyable {
    private let call: ChatCall
    private let chatOptions: ChatOptions
    private let model: String
    private var names: VendorNameMap
    private var out = ByteBuffer()

    /// The instruction that is added if the client wants JSON without a schema.
    private static let askingForJSON = "Answer with a JSON object."

    init(_ call: ChatCall, _ model: String) {
        self.call = call
        chatOptions = call.chatOptions
        self.model = model
        var names = VendorNameMap(marks: "_", beginsWithLetter: true)
        for tool in call.chatOptions.tools { _ = names.name(tool.name) }
        self.names = names
    }

    /// Returns the request body, and the map from the tool names in the body to the client's tool names.
    consuming func written() -> (Body, VendorNameMap) {
        _ = out.reserve(512 + call.sentBytes + 64 * call.messages.count)
        out.append(#"{"model":"#, json: model, #","messages":["#)
        var messages = CohereMessages(call, names)
        // Without the instruction, the output of a model might never end.
        if case .object = chatOptions.format { messages.append(instruction: Self.askingForJSON, to: &out) }
        messages.append(to: &out)
        names = messages.names
        out.append("]")
        appendTools()
        appendFormat()
        appendSampling()
        appendThinking()
        if let most = call.maxTokens { out.append("max_tokens", most) }
        if !call.stops.isEmpty { out.append("stop_sequences", call.stops) }
        if call.isStreamed { out.append("stream", true) }
        out.append("}")
        return (Body(out), names)
    }

    // MARK: Tools and formats

    /// Appends the members for tools. If `tool_choice` names a tool, only this tool is sent.
    private mutating func appendTools() {
        var tools = chatOptions.tools
        // Cohere refuses tools beside a response format. The tools of such a request must not be called, so they are
        // left out.
        guard case .text = chatOptions.format else { return }
        guard !tools.isEmpty else { return }
        if case .named(let name) = chatOptions.toolChoice {
            let only = tools.filter { $0.name.hasSameBytes(as: name) }
            if !only.isEmpty { tools = only }
        }
        var areStrict = true
        for (index, tool) in tools.enumerated() {
            out.append(
                index == 0
                    ? #","tools":[{"type":"function","function":{"name":"# : #",{"type":"function","function":{"name":"#
            )
            out.append(json: names.name(tool.name))
            if let description = tool.description { out.append("description", description) }
            out.append(member: "parameters")
            let hasSchema = tool.schema.map { !CohereSchema.isEmpty($0) } ?? false
            if hasSchema, let schema = tool.schema {
                out.append(schema.bytes)
            } else {
                out.append(#"{"type":"object","properties":{}}"#)
            }
            out.append("}}")
            areStrict = areStrict && tool.isStrict == true && tool.schema.map(CohereSchema.hasRequired) == true
        }
        out.append("]")
        if areStrict { out.append("strict_tools", true) }
        switch chatOptions.toolChoice {
        case .auto: break
        case .none: out.append(#","tool_choice":"NONE""#)
        case .required, .named: out.append(#","tool_choice":"REQUIRED""#)
        }
    }

    private mutating func appendFormat() {
        switch chatOptions.format {
        case .text: break
        case .object: out.append(#","response_format":{"type":"json_object"}"#)
        case .schema(_, let schema, _):
            out.append(#","response_format":{"type":"json_object""#)
            if let schema { out.append("json_schema", schema) }
            out.append("}")
        }
    }

    // MARK: Other fields

    private mutating func appendSampling() {
        let sampling = chatOptions.sampling
        if let temperature = sampling.temperature { out.append("temperature", min(1, temperature)) }
        if let topP = sampling.topP { out.append("p", min(0.99, max(0.01, topP))) }
        if let topK = sampling.topK { out.append("k", min(500, max(0, topK))) }
        if let seed = sampling.seed { out.append("seed", Int(seed & .max)) }
        // Cohere accepts only one of the penalties, and none below 0.
        let presence = min(1, sampling.presencePenalty ?? 0)
        let frequency = min(1, sampling.frequencyPenalty ?? 0)
        if presence > 0, presence >= frequency {
            out.append("presence_penalty", presence)
        } else if frequency > 0 {
            out.append("frequency_penalty", frequency)
        }
    }

    /// Appends the member `thinking` if the model supports reasoning and the client sets reasoning options.
    private mutating func appendThinking() {
        guard PhraseMatcher(model).say("reasoning") else { return }
        let reasoning = chatOptions.reasoning
        var budget = reasoning.budgetTokens
        switch reasoning.plainEffort.map({ PhraseMatcher(String($0.utf8.prefix(16)) ?? "") }) {
        case nil: return
        case let effort?:
            if effort.name("none") { return out.append(#","thinking":{"type":"disabled"}"#) }
            if effort.name("low") || effort.name("minimal") { budget = budget ?? 1_024 }
            if effort.name("medium") { budget = budget ?? 4_096 }
        }
        out.append(#","thinking":{"type":"enabled""#)
        if let budget { out.append("token_budget", budget) }
        out.append("}")
    }
}

/// Checks a JSON Schema for Cohere's restrictions: each object schema must have at least one required member.
struct CohereSchema {
    private static let limitBytes = 65_536

    /// Whether Cohere supports the output format. A format without a schema is always supported.
    static func takes(_ format: ChatOptions.Format) -> Bool {
        guard case .schema(_, let schema?, _) = format else { return true }
        guard schema.bytes.count <= limitBytes else { return false }
        return JSONParser.read(schema.bytes) { $0["type"]?.text == "object" && isTaken($0) } ?? false
    }

    static func isEmpty(_ schema: Body) -> Bool { RawJSON(schema.bytes).members.first { _ in true } == nil }

    static func hasRequired(_ schema: Body) -> Bool {
        RawJSON(schema.bytes)["required"]?.elements.contains { _ in true } ?? false
    }

    /// Whether Cohere supports a part of a schema: a JSON value, with all values inside it.
    private static func isTaken(_ value: JSONValue) -> Bool {
        switch value.kind {
        case .object:
            let isObject = value["type"]?.text == "object" && value["properties"]?.kind != .string
            if isObject, value["required"]?.elements?.contains(where: { _ in true }) != true { return false }
            return (value.members ?? []).allSatisfy { isTaken($0.value) }
        case .array: return value.elements?.allSatisfy(isTaken) ?? true
        default: return true
        }
    }
}
