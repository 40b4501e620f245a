import Engine
import Glibc
import Shared
import Upstream

struct ChatCompletion: ChatResponseFormatter {
    let names: ToolNames

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        ChatChunks(wanted, names, exchange: exchange)
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        if let original = response.original {
            original.read { exchange.send(json: $0) }
            return
        }
        let length = response.bytes + 256 * response.choices.count + 512
        var body = ByteBuffer()
        _ = body.reserve(min(length, WorkQueue.loopBytes))
        body.append(#"{"id":""#)
        exchange.gateway.ids.appendID("chatcmpl-", into: &body)
        body.append(#"","object":"chat.completion","created":"#, decimal: time(nil))
        body.append(#","model":"#, json: wanted.model)
        guard length > WorkQueue.loopBytes else {
            append(response, isOld: wanted.hasFunctions, to: &body)
            return exchange.send(json: body)
        }
        let isOld = wanted.hasFunctions
        _ = try await exchange.send(longer: body, ofBytes: length) {
            append(response, isOld: isOld, to: &$0)
            return true
        }
    }

    /// Appends the members `choices` and `usage`, and closes the JSON object.
    /// - Parameter isOld: whether a tool call is written as the legacy `function_call`.
    private func append(_ response: ChatResponse, isOld: Bool, to body: inout ByteBuffer) {
        body.append(#","choices":["#)
        // In place: a loop over the array would copy each choice.
        response.choices.withUnsafeBufferPointer { choices in
            for index in choices.indices { append(choices[index], index, isOld: isOld, to: &body) }
        }
        body.append(#"],"usage":"#)
        (response.usage ?? .nothing).appendJSON(to: &body)
        if let tier = response.usage?.openAITier { body.append(#","service_tier":"#, json: tier) }
        body.append("}")
    }

    private func append(_ choice: borrowing ChatResponse.Choice, _ index: Int, isOld: Bool, to body: inout ByteBuffer) {
        body.append(index == 0 ? #"{"index":"# : #",{"index":"#, decimal: index)
        body.append(#","message":{"role":"assistant","content":"#)
        body.append(choice.text)
        if let reasoning = choice.reasoning {
            body.append(#","reasoning_content":"#, json: reasoning.bytes)
        } else if !choice.reasoningBlocks.isEmpty {
            Self.append(choice.reasoningBlocks, to: &body)
        }
        body.append(#","refusal":"#)
        body.append(choice.refusal)
        if isOld, let call = choice.toolCalls.first {
            Self.append(function: call, to: &body)
        } else if !choice.toolCalls.isEmpty {
            append(choice.toolCalls, to: &body)
        }
        if !choice.marks.isEmpty { Self.append(citationsIn: choice.marks, to: &body) }
        body.append(#"},"logprobs":null,"finish_reason":""#, choice.finish.name(isOld: isOld), #""}"#)
    }

    /// Appends the text of all reasoning blocks, and the signature of a single unencrypted block.
    private static func append(_ reasoningBlocks: [ReasoningBlock], to body: inout ByteBuffer) {
        body.append(#","reasoning_content":""#)
        for reasoningBlock in reasoningBlocks { body.append(jsonContent: reasoningBlock.text) }
        body.append("\"")
        guard reasoningBlocks.count == 1, !reasoningBlocks[0].isSealed, let signature = reasoningBlocks[0].signature
        else { return }
        body.append(#","extra_content":{"thought_signature":"#, json: signature, "}")
    }

    /// Returns an annotation as chat completions have it, with its members in an object of their own. Returns nil if the
    /// annotation cites no URL.
    /// - Parameter annotation: a JSON object of the Responses API.
    static func citation(of annotation: UnsafeRawBufferPointer) -> Body? {
        let json = RawJSON(annotation)
        guard json["type"]?.content == "url_citation" else { return nil }
        var nested = ByteBuffer(#"{"type":"url_citation","url_citation":{"#)
        nested.append(list: json.members.filter { !$0.name.equals("type") }) { $1.append($0.bytes) }
        nested.append("}}")
        return Body(nested)
    }

    private static func append(citationsIn marks: [OutputMark], to body: inout ByteBuffer) {
        let citations = marks.compactMap { mark -> Body? in
            guard case .annotation(let json) = mark.kind else { return nil }
            return Self.citation(of: json.bytes)
        }
        guard !citations.isEmpty else { return }
        body.append(#","annotations":["#)
        body.append(list: citations) { citation, body in body.append(citation.bytes) }
        body.append("]")
    }

    private static func append(inputOf arguments: String, to body: inout ByteBuffer) {
        let text = ByteBuffer(arguments)
        ToolNames.input(of: text.bytes) { body.append(json: $0) }
    }

    private static func append(function call: ToolCall, to body: inout ByteBuffer) {
        body.append(#","function_call":{"name":"#, json: call.name)
        body.append(#","arguments":"#, json: call.arguments, "}")
    }

    func append(_ calls: [ToolCall], to body: inout ByteBuffer) {
        for (index, call) in calls.enumerated() {
            body.append(index == 0 ? #","tool_calls":[{"id":"# : #",{"id":"#, json: call.id ?? "")
            let isCustom = names.isCustom(call.name)
            body.append(isCustom ? #","type":"custom","custom":{"name":"# : #","type":"function","function":{"name":"#)
            body.append(json: call.name)
            body.append(isCustom ? #","input":"# : #","arguments":"#)
            if isCustom { Self.append(inputOf: call.arguments, to: &body) } else { body.append(json: call.arguments) }
            body.append("}")
            if let signature = call.signature {
                body.append(#","extra_content":{"google":{"thought_signature":"#, json: signature, "}}")
            }
            body.append("}")
        }
        body.append("]")
    }
}

extension ChatResponse {
    /// Replaces the member `usage` in the vendor's own JSON, which is of the surface's API, by this response's usage.
    /// Does nothing without such JSON or without a usage.
    mutating func includeUsage(of wire: Wire?) {
        guard let usage, let written = original, wire != .messages else { return }
        var out = ByteBuffer()
        _ = out.reserve(written.bytes.count + 128)
        for member in RawJSON(written.bytes).members where !member.name.equals("usage") { out.append(next: member) }
        out.append(#","usage":"#)
        if wire == .responses { usage.appendResponseJSON(to: &out) } else { usage.appendJSON(to: &out) }
        out.append("}")
        // Each member was copied with a comma before it.
        out.removeFirst(1)
        out.prepend(UnsafeRawBufferPointer("{"))
        original = Body(out)
    }
}

extension ByteBuffer {
    fileprivate mutating func append(_ text: Body?) {
        if let text { append(json: text.bytes) } else { append("null") }
    }
}
