import Engine
import Shared
import Upstream

/// The surface of `/llm/chat`, with responses in JSON, plain text or events.
///
/// A request's `model` is ignored. Only providers with a capacity limit serve requests.
struct LLMChat: ChatSurface {
    let isStreamed: Bool
    /// Whether the response may be cached. Always false, because the model can change between equal requests.
    let mayKeep = false

    /// The surface of the load reports below `/llm`, which have the same error format as `/llm/chat`.
    static let reports = LLMChat(isStreamed: false)

    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        let isMissing = error.code == "missing_required_parameter" && error.param?.isSame(as: "messages") ?? false
        let text = error.isCapacityShortage ? Self.noInstance : error.message
        if isMidStream { body.append("data: ") }
        body.json(#"{"error":\#(isMissing ? "Missing required field 'messages'" : text)}"#)
        if isMidStream { body.append("\n\n") }
    }

    func status(of error: APIError) -> Int {
        if error.isFromVendor { return error.status == 400 ? 400 : 502 }
        return error.isCapacityShortage ? 503 : error.status
    }

    static let noInstance = "No available instances"

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        var call = try ChatCall(root, defaultModel: "llm")
        call.model = ""
        call.isStreamed = isStreamed
        call.choices = 1
        call.needs.remove(.choices)
        return ChatRequest(call, LLMFormatter(names: ToolNames(customOf: root, ifCalledBy: call)))
    }

    func target(of asked: ChatRequest, _ caller: Caller, _ exchange: Exchange) throws(APIError) -> Resolution {
        let wantsTools = !asked.call.needs.isDisjoint(with: [.tools, .functions, .customTools])
        if isStreamed, wantsTools, !exchange.request.wantsEvents {
            throw .unsupported("tools", "Tool calls can be streamed only as events. Send 'Accept: text/event-stream'.")
        }
        let registry = exchange.gateway.registry
        guard let candidates = try? registry.resolve(.leastLoaded(asked.call.needs), for: caller).candidates else {
            throw APIError(503, Self.noInstance, type: "server_error")
        }
        asked.call.model = candidates.leading.name
        return .candidates(candidates)
    }
}

/// A formatter of the response as `{"result":"text"}` or `{"result":"","tool_calls":[...]}`.
private struct LLMFormatter: ChatResponseFormatter {
    let names: ToolNames

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        exchange.request.wantsEvents ? LLMEvents(exchange) : LLMText(exchange)
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        var body = ByteBuffer()
        body.append(#"{"result":"#)
        try await exchange.send(body, ofBytes: response.choices.reduce(512) { $0 + $1.bytes }) { body in
            response.appendText(to: &body)
            if let calls = response.choices.first?.toolCalls, !calls.isEmpty {
                ChatCompletion(names: names).append(calls, to: &body)
            }
            body.append("}")
        }
    }
}

extension Request {
    /// Whether the client's `Accept` header asks for an event stream.
    var wantsEvents: Bool {
        guard let accept = self[.accept] else { return false }
        var scan = ByteScan(accept)
        return scan.find("text/event-stream")
    }
}
