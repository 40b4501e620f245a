import Engine
import Shared
import Upstream

/// A formatter of a response of the Messages API, complete or streamed.
struct MessageFormatter: ChatResponseFormatter {
    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        MessageEvents(wanted, exchange)
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        if let original = response.original {
            original.read { exchange.send(json: $0) }
            return
        }
        guard let choice = response.choices.first else {
            throw UpstreamError(.failed, cause: "the response has no choice")
        }
        let usage = response.usage ?? .nothing
        let length = choice.bytes + 512
        var body = ByteBuffer()
        _ = body.reserve(min(length, WorkQueue.loopBytes))
        body.append(#"{"id":""#)
        exchange.gateway.ids.appendID("msg_", into: &body)
        body.append(#"","type":"message","role":"assistant","model":"#, json: wanted.model)
        guard length > WorkQueue.loopBytes else {
            Self.append(choice, usage, to: &body)
            return exchange.send(json: body)
        }
        _ = try await exchange.send(longer: body, ofBytes: length) {
            Self.append(choice, usage, to: &$0)
            return true
        }
    }

    private static func append(_ choice: ChatResponse.Choice, _ usage: Usage, to body: inout ByteBuffer) {
        body.append(#","content":["#)
        var count = 0
        func open(_ type: StaticString) {
            if count > 0 { body.append(",") }
            count += 1
            body.append(#"{"type":""#, type, #"","#)
        }
        if let reasoning = choice.reasoning, !reasoning.bytes.isEmpty {
            open("thinking")
            body.append(#""thinking":"#, json: reasoning.bytes)
            body.append(#","signature":""#, ReasoningBlock.ownSignature, #""}"#)
        }
        func append(_ reasoningBlock: ReasoningBlock) {
            open(reasoningBlock.isSealed ? "redacted_thinking" : "thinking")
            if !reasoningBlock.isSealed {
                body.append(#""thinking":"#, json: reasoningBlock.text, ",")
            }
            let signature = reasoningBlock.signature ?? "\(ReasoningBlock.ownSignature)"
            body.append(reasoningBlock.isSealed ? #""data":"# : #""signature":"#, json: signature, "}")
        }
        func append(_ text: UnsafeRawBufferPointer) {
            open("text")
            body.append(#""text":"#, json: text, "}")
        }
        // A call whose arguments were cut off cannot be made.
        let isCut = choice.finish == .length || choice.finish == .contentFilter
        func append(_ call: ToolCall) {
            guard !isCut || isObject(call.arguments) else { return }
            open("tool_use")
            body.append(#""id":"#)
            (call.id ?? "").withBytes { body.append(toolUseID: $0) }
            body.append(#","name":"#, json: call.name, #","input":"#)
            Self.append(input: call.arguments, to: &body)
            body.append("}")
        }
        let late = choice.lateBlocks
        // A turn does not end with reasoning.
        for reasoningBlock in late { append(reasoningBlock) }
        choice.forEachPart(
            reasoningBlock: { block in if !late.contains(where: { $0 === block }) { append(block) } },
            text: append,
            call: append
        )
        if let refusal = choice.refusal, !refusal.bytes.isEmpty { append(refusal.bytes) }
        body.append(#"],"stop_reason":""#)
        body.append(choice.finish.stopReason(hasSequence: choice.stop != nil, hasCall: !choice.toolCalls.isEmpty))
        body.append(#"","stop_sequence":"#)
        if let stop = choice.stop { body.append(json: stop.bytes) } else { body.append("null") }
        if choice.finish == .refusal, let refusal = choice.refusal { body.append(stopDetails: refusal.bytes) }
        body.append(#","usage":"#)
        usage.appendMessageJSON(to: &body)
        body.append("}")
    }

    /// Returns whether a tool call's arguments are a JSON object. Empty text counts as an empty object.
    private static func isObject(_ json: String) -> Bool {
        let text = ByteBuffer(json)
        guard text.bytes.contains(where: { $0 > 32 }) else { return true }
        return JSONParser.read(text.bytes, \.kind) == .object
    }

    /// Appends a tool call's arguments as a JSON object. Arguments that are no object become a text in the object's
    /// member `_raw`.
    private static func append(input arguments: String, to body: inout ByteBuffer) {
        let text = ByteBuffer(arguments)
        if !isObject(arguments) {
            body.append(#"{"_raw":"#, json: text.bytes, "}")
        } else if text.bytes.contains(where: { $0 > 32 }) {
            body.append(text.bytes)
        } else {
            body.append("{}")
        }
    }
}

extension ByteBuffer {
    /// Appends the id of a tool call as a JSON string. A prefix `call_` becomes Anthropic's `toolu_`.
    mutating func append(toolUseID id: UnsafeRawBufferPointer) {
        guard id.hasPrefix("call_") else { return append(json: id) }
        append("\"toolu_", jsonContent: id[part: 5..<id.count], "\"")
    }

    /// Appends the member `stop_details` with the reason of a refusal. Appends nothing if the reason is empty.
    mutating func append(stopDetails refusal: UnsafeRawBufferPointer) {
        if refusal.isEmpty { return }
        append(#","stop_details":{"type":"refusal","category":null,"explanation":"#, json: refusal, "}")
    }
}

extension FinishReason {
    /// Returns the `stop_reason` of the Messages API for this finish reason.
    /// - Parameters:
    ///   - hasSequence: whether a stop sequence ended the output.
    ///   - hasCall: whether the output contains a tool call.
    func stopReason(hasSequence: Bool, hasCall: Bool) -> StaticString {
        switch self {
        case .stop: hasSequence ? "stop_sequence" : "end_turn"
        case .length: "max_tokens"
        case .toolCalls: hasCall ? "tool_use" : "end_turn"
        case .contentFilter, .refusal: "refusal"
        case .pause: "pause_turn"
        }
    }
}

extension Usage {
    /// Appends the usage as a JSON object of the Messages API. `input_tokens` excludes cache reads and writes.
    func appendMessageJSON(to out: inout ByteBuffer) {
        out.append(#"{"input_tokens":"#, decimal: promptTokens - cachedTokens - cacheWriteTokens)
        if cacheWriteTokens > 0 { out.append(#","cache_creation_input_tokens":"#, decimal: cacheWriteTokens) }
        if cachedTokens > 0 { out.append(#","cache_read_input_tokens":"#, decimal: cachedTokens) }
        out.append(#","output_tokens":"#, decimal: completionTokens)
        if reasoningTokens > 0 {
            out.append(#","output_tokens_details":{"thinking_tokens":"#, decimal: reasoningTokens, "}")
        }
        out.append("}")
    }
}
