import Engine
import Shared

/// Writes a chat call as the JSON body of a `generateContent` request. Unset fields are left out.
struct GeminiRequest: ~Copyable {
    private let call: ChatCall
    private let chatOptions: ChatOptions
    private let model: GeminiModel
    private let dialect: GeminiDialect
    private var turns: GeminiTurns
    private var names: VendorNameMap
    private var out = ByteBuffer()

    static let maxStops = 5
    static let marks: StaticString = "_.:-"

    init(_ call: ChatCall, _ model: GeminiModel, memory: AccountSignatures, dialect: GeminiDialect) {
        self.call = call
        self.dialect = dialect
        chatOptions = call.chatOptions
        self.model = model
        var names = VendorNameMap(marks: Self.marks, beginsWithLetter: true)
        for tool in call.chatOptions.tools { _ = names.name(tool.name) }
        self.names = names
        turns = GeminiTurns(call, names, memory: memory, wantsSignatures: model.wantsSignatures)
    }

    /// Returns the request body, and the map from the tool names in the body to the client's tool names.
    consuming func written() -> (Body, VendorNameMap) {
        _ = out.reserve(512 + call.sentBytes + 64 * call.messages.count)
        var instructions = ByteBuffer()
        let isInstructed = turns.appendInstructions(to: &instructions)
        out.append(#"{"contents":["#)
        turns.append(to: &out, before: model.isBare && isInstructed ? instructions.bytes : nil)
        out.append("]")
        if isInstructed, !model.isBare { out.append(#","systemInstruction":{"parts":["#, instructions.bytes, "]}") }
        names = turns.names
        appendTools()
        appendGeneration()
        out.append("}")
        return (Body(out), names)
    }

    // MARK: Tools

    private mutating func appendTools() {
        guard !chatOptions.tools.isEmpty, !call.isForcedSearch else {
            if call.sendsSearch { out.append(#","tools":[{"googleSearch":{}}]"#) }
            return
        }
        // Older models refuse tools beside a response format. The tools of such a request must not be called, so they
        // are left out.
        if case .text = chatOptions.format {} else if !model.supportsToolsWithFormat { return }
        out.append(#","tools":[{"functionDeclarations":["#)
        for (index, tool) in chatOptions.tools.enumerated() {
            out.append(index == 0 ? #"{"name":"# : #",{"name":"#, json: names.name(tool.name))
            if let description = tool.description { out.append("description", description) }
            if let schema = tool.schema {
                var cleaned = ByteBuffer()
                if dialect.append(schema, to: &cleaned), cleaned.count > 2 {
                    out.append(member: dialect.hasOpenSchemas ? "parameters" : "parametersJsonSchema")
                    out.append(cleaned.bytes)
                }
            }
            out.append("}")
        }
        out.append("]}]")
        switch chatOptions.toolChoice {
        case .auto: if chatOptions.tools.contains(where: { $0.isStrict == true }) { append(mode: "VALIDATED") }
        case .none: append(mode: "NONE")
        case .required: append(mode: "ANY")
        case .named(let name): append(mode: "ANY", name: name)
        }
    }

    private mutating func append(mode: StaticString, name: String? = nil) {
        out.append(#","toolConfig":{"functionCallingConfig":{"mode":""#, mode, "\"")
        if let name {
            out.append(#","allowedFunctionNames":["#, json: names.name(name), "]")
        }
        out.append("}}")
    }

    // MARK: Other fields

    private mutating func appendGeneration() {
        let start = out.count
        appendSampling()
        if let most = call.maxTokens { out.append("maxOutputTokens", most) }
        if !call.stops.isEmpty { out.append("stopSequences", call.stops) }
        appendFormat()
        appendThinking()
        guard out.count > start else { return }
        // Each member begins with a comma, so the first comma is left out.
        var members = ByteBuffer()
        members.append(out.bytes[part: (start + 1)..<out.count])
        out.removeLast(out.count - start)
        out.append(#","generationConfig":{"#, members.bytes, "}")
    }

    private mutating func appendSampling() {
        let sampling = chatOptions.sampling
        if let temperature = sampling.temperature { out.append("temperature", temperature) }
        if let topP = sampling.topP { out.append("topP", topP) }
        if let topK = sampling.topK { out.append("topK", topK) }
        if let penalty = sampling.presencePenalty, penalty != 0 { out.append("presencePenalty", penalty) }
        if let penalty = sampling.frequencyPenalty, penalty != 0 { out.append("frequencyPenalty", penalty) }
        if let seed = sampling.seed { out.append("seed", Int(seed & 0x7fff_ffff)) }
    }

    private mutating func appendFormat() {
        switch chatOptions.format {
        case .text: break
        case .object: out.append("responseMimeType", "application/json")
        case .schema(_, let schema, _):
            out.append("responseMimeType", "application/json")
            var cleaned = ByteBuffer()
            guard let schema, dialect.append(schema, to: &cleaned), cleaned.count > 2 else { return }
            out.append(member: dialect.hasOpenSchemas ? "responseSchema" : "responseJsonSchema")
            out.append(cleaned.bytes)
        }
    }

    /// Appends the member `thinkingConfig`, which sets the amount of thinking. Appends nothing if the model's default
    /// applies.
    private mutating func appendThinking() {
        let reasoning = chatOptions.reasoning
        let isHidden = reasoning.display == .omitted || reasoning.plainEffort == "none"
        let thoughts: StaticString = isHidden ? "" : #""includeThoughts":true,"#
        switch model.thinking(reasoning) {
        case .none: break
        case .level(let level): out.append(#","thinkingConfig":{\#(thoughts)"thinkingLevel":"\#(level)"}"#)
        case .budget(0): out.append(#","thinkingConfig":{"thinkingBudget":0}"#)
        case .budget(let tokens): out.append(#","thinkingConfig":{\#(thoughts)"thinkingBudget":\#(tokens)}"#)
        }
    }
}

/// The differences between the two services that offer Google's models: the Gemini API and Vertex AI.
struct GeminiDialect: Sendable {
    /// Whether the service accepts only schemas in OpenAPI's form, not JSON Schema.
    let hasOpenSchemas: Bool
    let errorTable: VendorErrorTable

    static let own = GeminiDialect(hasOpenSchemas: false, errorTable: VendorError.gemini)

    /// Appends a schema in the form that the service supports. Returns false without appending if the schema is not
    /// JSON.
    func append(_ schema: Body, to out: inout ByteBuffer) -> Bool {
        hasOpenSchemas ? OpenSchema.append(schema, to: &out) : GeminiSchema.append(schema, to: &out)
    }
}
