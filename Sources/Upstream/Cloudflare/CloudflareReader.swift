import Engine
import Shared

/// Parses Cloudflare's responses.
///
/// `@unchecked`: used by one thread at a time, the thread of its event loop or the worker thread.
final class CloudflareReader: WireReader, @unchecked Sendable {
    private let inner: ChatCompletionReader
    private let parser: JSONParser
    private let bound: Int
    /// The number of tool calls read so far from responses in Cloudflare's own format.
    private var calls = 0
    /// Whether a complete response (no stream) was empty or had no choice.
    private(set) var isEmpty = false

    init(_ inner: ChatCompletionReader, _ parser: JSONParser, bound: Int) {
        self.inner = inner
        self.parser = parser
        self.bound = bound
    }

    var usage: Usage? { inner.usage }
    var hasBegun: Bool { inner.hasBegun }
    var isFinished: Bool { inner.hasBegun && inner.isFinished }
    var isWhole: Bool { inner.isWhole }

    // MARK: Events

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        if event.data.trimmed.equals("[DONE]") { return true }
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        let written = try normal(event.data, .delta)
        return try inner.consume(EventStreamParser.Event(written.bytes), emit)
    }

    private var errorReader: ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.cloudflare, namesFields: false)
    }

    func end(_ emit: Emit) throws(UpstreamError) {
        // Cloudflare's own API does not report why a response ends.
        if hasBegun, !inner.isFinished, let usage = inner.usage, usage.completionTokens >= bound,
            usage.completionTokens < JSONValue.impossibleTokens
        {
            let last = ByteBuffer(#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#)
            _ = try inner.consume(EventStreamParser.Event(last.bytes), emit)
        }
        try inner.end(emit)
    }

    // MARK: Whole responses

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        guard body.contains(where: { $0 > 32 }) else {
            isEmpty = true
            throw .invalidResponse("the vendor's response is empty")
        }
        let written = try normal(body, .whole)
        guard RawJSON(written.bytes)["choices"]?.elements.contains(where: { _ in true }) ?? false else {
            isEmpty = true
            throw .invalidResponse("the vendor's response has no choice")
        }
        try inner.consume(whole: written.bytes, emit)
    }

    // MARK: The wire of its own

    /// The name of the member that contains a choice's output in OpenAI's format.
    private enum Message: String {
        case delta
        case whole = "message"
    }

    /// Converts a complete response or one stream event to OpenAI's format. Throws if the vendor reports an error.
    private func normal(_ data: UnsafeRawBufferPointer, _ message: Message) throws(UpstreamError) -> ByteBuffer {
        let root = try parser.response(data)
        let hasErrors = root["errors"]?.elements?.contains { _ in true } ?? false
        if root["success"]?.flag == false || hasErrors || root["error"] != nil {
            throw errorReader.error(in: root)
        }
        let result = root["result"].flatMap { $0.kind == .object ? $0 : nil } ?? root
        var out = ByteBuffer()
        let hasOutput = result.has("response") || result.has("tool_calls")
        let reported = result["usage"] ?? root["usage"]
        // Whatever else has neither output nor usage may be an error.
        if result["choices"]?.elements != nil || !hasOutput && reported == nil {
            result.append(to: &out)
            return out
        }
        out.append(#"{"choices":["#)
        if hasOutput {
            out.append(#"{"index":0,""#, message.rawValue, #"":{"role":"assistant""#)
            append(result["response"], to: &out)
            append(calls: result["tool_calls"], to: &out)
            out.append("}")
            if message == .whole {
                out.append(#","finish_reason":""#)
                out.append(reason(result, root))
                out.append("\"")
            }
            out.append("}")
        }
        out.append("]")
        if let reported {
            out.append(#","usage":"#)
            reported.append(to: &out)
        }
        out.append("}")
        return out
    }

    /// Appends the member `content`. Output that is no text is appended as its JSON text.
    private func append(_ response: JSONValue?, to out: inout ByteBuffer) {
        guard let response else { return }
        out.append(#","content":"#)
        if let text = response.text { return out.append(json: text) }
        var text = ByteBuffer()
        response.append(to: &text)
        out.append(json: text.bytes)
    }

    /// Appends the member `tool_calls`, and gives each tool call an `index`.
    private func append(calls list: JSONValue?, to out: inout ByteBuffer) {
        var isFirst = true
        for call in list?.elements ?? JSONElements() {
            let function = call["function"] ?? call
            guard let name = function["name"]?.text, !name.isEmpty else { continue }
            out.append(isFirst ? #","tool_calls":[{"index":"# : #",{"index":"#)
            isFirst = false
            // Cloudflare sends tool calls without an index.
            out.append(decimal: calls)
            calls += 1
            if let id = call["id"]?.text, !id.isEmpty { out.append(#","id":"#, json: id) }
            out.append(#","type":"function","function":{"name":"#, json: name)
            if let arguments = function["arguments"] {
                out.append(#","arguments":"#)
                arguments.append(to: &out)
            }
            out.append("}}")
        }
        if !isFirst { out.append("]") }
    }

    private func reason(_ result: JSONValue, _ root: JSONValue) -> StaticString {
        let used = (result["usage"] ?? root["usage"])?["completion_tokens"]?.number ?? 0
        return used >= Double(bound) ? "length" : calls > 0 ? "tool_calls" : "stop"
    }
}
