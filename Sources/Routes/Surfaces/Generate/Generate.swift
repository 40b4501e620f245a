import Engine
import Shared
import Upstream

/// The surface of `POST /generate`: one prompt in, one text out.
///
/// Errors have the form `{"detail": ...}`.
struct Generate: ChatSurface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        guard status(of: error) == 422 else {
            let text = error.isCapacityShortage ? "All providers failed: \(error.message)" : error.message
            return body.json(#"{"detail":\#(text)}"#)
        }
        let isMissing = error.code?.isSame(as: "missing_required_parameter") ?? false
        let type = isMissing ? "missing" : error.param == nil ? "json_invalid" : "value_error"
        let message = isMissing ? "Field required" : error.message
        let location = ["body"] + [error.param].compactMap { $0 }.map { $0.isSame(as: "messages") ? "prompt" : $0 }
        body.json(#"{"detail":[{"type":\#(type),"loc":\#(location),"msg":\#(message),"input":{}}]}"#)
    }

    func status(of error: APIError) -> Int {
        if error.isFromVendor { return error.status == 400 ? 400 : 503 }
        if error.isCapacityShortage { return 503 }
        return error.status == 400 ? 422 : error.status
    }

    /// Reads the body: a JSON object, or a JSON string that contains the object as text.
    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        guard let text = root.text else { return ChatRequest(try Self.call(root), GeneratedText()) }
        let call = try JSONBody.read(text, by: JSONParser()) { (root) throws(APIError) in try Self.call(root) }
        return ChatRequest(call, GeneratedText())
    }

    private static func call(_ root: JSONValue) throws(APIError) -> ChatCall {
        guard root.kind == .object else { throw .missing("prompt") }
        return try ChatCall(generating: try RequestFields(root))
    }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> Resolution {
        let (registry, settings) = (exchange.gateway.registry, exchange.gateway.settings)
        if asked.call.model.isEmpty, let name = settings.generateModel { asked.call.model = name }
        guard asked.call.model.isEmpty else { return try registry.resolve(.named(asked.call.model), for: caller) }
        guard let candidates = try? registry.resolve(.anyModel, for: caller).candidates else {
            guard !settings.providers.contains(where: \.generates) else {
                let text = "This key may use none of the models that serve requests without 'model'. Name one of yours."
                throw APIError(403, text, type: "invalid_request_error")
            }
            throw APIError(503, "All providers failed: no provider is available to this caller.", type: "server_error")
        }
        asked.call.model = candidates.leading.name
        return .candidates(candidates)
    }
}

extension ChatCall {
    /// Creates a call from the body of `POST /generate`.
    fileprivate init(generating fields: RequestFields) throws(APIError) {
        self.init()
        guard let prompt = try fields.string("prompt") else { throw .missing("prompt") }
        guard !prompt.isEmpty else { throw .value("prompt", "must not be empty") }
        messages = [ChatMessage(role: .user, text: prompt)]
        model = try fields.model() ?? ""
        maxTokens = try fields.integer("max_tokens", 1...Int(Int32.max))
        if maxTokens != nil { needs.insert(.tokenBound) }
        try readSampling(fields)
        countIfLong()
    }
}

/// A formatter of the response of `POST /generate`, such as
/// `{"modelUsed":"mixtral-8x7b-32768","tokens":50,"cost":0.0001,"response":"Quantum computing is ..."}`.
private struct GeneratedText: ChatResponseFormatter {
    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        preconditionFailure("such a call is never streamed")
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        var body = ByteBuffer()
        body.append(#"{"modelUsed":"#, json: exchange.servedModel ?? wanted.model)
        body.append(#","tokens":"#, decimal: response.usage?.totalTokens ?? 0)
        if let cost = exchange.record.cost {
            body.append(#","cost":"#)
            body.append(cost.text)
        }
        body.append(#","response":"#)
        try await exchange.send(body, ofBytes: response.choices.reduce(512) { $0 + $1.bytes }) { body in
            response.appendText(to: &body)
            body.append("}")
        }
    }
}

extension ChatResponse {
    /// Appends the first choice's text, or else its refusal, or else an empty string, as JSON.
    func appendText(to body: inout ByteBuffer) {
        guard let text = choices.first.flatMap({ $0.text ?? $0.refusal }) else { return body.append(#""""#) }
        text.read { body.append(json: $0.bytes) }
    }
}
