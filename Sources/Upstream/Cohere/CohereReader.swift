import Engine
import Shared

/// Parses a response of Cohere's Chat API, either a complete body or a stream of events.
///
/// `@unchecked`: used by one thread at a time, the thread of its event loop or the worker thread.
final class CohereReader: WireReader, @unchecked Sendable {
    private let parser: JSONParser
    /// The only stop sequence of the request; nil if the request has none or several.
    var onlyStop: String?
    private var calls: EmittedCalls
    /// Whether more arguments of the last tool call can arrive.
    private var isCallOpen = false
    private var arguments = CallArguments(beginsWithObject: true)
    /// The size in bytes of the last tool call's arguments that have arrived so far.
    private var argumentBytes = 0
    private var finish: FinishReason?
    private var hasParts = false
    private(set) var usage: Usage?

    init(_ parser: JSONParser, _ ids: RandomBytes, names: VendorNameMap, maxCalls: Int, isLegacy: Bool) {
        self.parser = parser
        calls = EmittedCalls(names, ids, maxCount: maxCalls, isLegacy: isLegacy)
    }

    var hasBegun: Bool { hasParts || finish != nil }
    var isFinished: Bool { finish != nil }

    private var errorReader: ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.cohere, namesFields: false)
    }

    // MARK: Events

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        // A response without the event that ends it is truncated.
        if event.data.trimmed.equals("[DONE]") { return isWhole }
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        let root = try parser.response(event.data)
        guard let type = root["type"]?.text else {
            if root["message"]?.text != nil || root["error"] != nil {
                throw errorReader.error(in: root)
            }
            return false
        }
        if finish != nil { return false }
        let message = root["delta"]?["message"]
        switch type {
        case "content-delta", "content-start": if let content = message?["content"] { emitContent(content, emit) }
        case "tool-plan-delta": emitReasoning(message?["tool_plan"], emit)
        case "tool-call-start":
            closeCall(emit)
            if let call = message?["tool_calls"] { try open(call, emit) }
        case "tool-call-delta":
            if let piece = message?["tool_calls"]?["function"]?["arguments"] { try emitArguments(piece, emit) }
        case "tool-call-end": closeCall(emit)
        case "message-end": if let delta = root["delta"] { try end(delta, emit) }
        default: break
        }
        return false
    }

    // MARK: Parts

    private func emitContent(_ content: JSONValue, _ emit: Emit) {
        emitReasoning(content["thinking"], emit)
        guard let text = content["text"]?.text, !text.isEmpty else { return }
        hasParts = true
        emit(0, .text(text))
    }

    private func emitReasoning(_ reasoningBlock: JSONValue?, _ emit: Emit) {
        guard let text = reasoningBlock?.text, !text.isEmpty else { return }
        hasParts = true
        emit(0, .reasoning(text))
    }

    private func open(_ call: JSONValue, _ emit: Emit) throws(UpstreamError) {
        let given = call["id"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        let function = call["function"]
        let reported = function?["name"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        guard let name = try calls.nextName(reported, id: given) else { return }
        isCallOpen = true
        self.arguments = CallArguments(beginsWithObject: true)
        argumentBytes = 0
        hasParts = true
        calls.begin(name, id: given, emit)
        if let arguments = function?["arguments"] { try emitArguments(arguments, emit) }
    }

    private func emitArguments(_ arguments: JSONValue, _ emit: Emit) throws(UpstreamError) {
        guard isCallOpen else { return }
        if let text = arguments.text { return try emitArguments(text, emit) }
        guard arguments.kind == .object else { return }
        let body = arguments.body
        try emitArguments(body.bytes, emit)
    }

    private func emitArguments(_ arguments: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        try emitArguments(self.arguments.append(Array(arguments)), emit)
    }

    private func emitArguments(_ reported: [UInt8], _ emit: Emit) throws(UpstreamError) {
        guard !reported.isEmpty else { return }
        argumentBytes += reported.count
        guard argumentBytes <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
        reported.withUnsafeBytes { emit(0, .toolArguments(index: calls.lastIndex, $0)) }
    }

    /// Ends the last tool call. Emits `{}` if the tool call has no arguments.
    private func closeCall(_ emit: Emit) {
        guard isCallOpen else { return }
        isCallOpen = false
        guard argumentBytes == 0 else { return }
        let rest = arguments.rest
        let reported = rest.isEmpty ? Array("{}".utf8) : rest
        reported.withUnsafeBytes { emit(0, .toolArguments(index: calls.lastIndex, $0)) }
    }

    // MARK: The end

    /// Ends the response: reads the usage and the finish reason from `reported`, and emits the finish reason.
    private func end(_ reported: JSONValue, _ emit: Emit) throws(UpstreamError) {
        closeCall(emit)
        if let read = reported["usage"].flatMap(Usage.init(ofCohere:)) { usage = read }
        let word = reported["finish_reason"]?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        var reason = FinishReason.stop
        switch FinishWord(word) {
        case .reason(.toolCalls) where calls.maxCount == 0: break
        case .reason(let known): reason = known
        case .failed: throw Self.failed(word == "TIMEOUT" ? .timedOut : .failed, word)
        case .unknown:
            guard hasParts, reported["error"] == nil else { throw Self.failed(.failed, word) }
        }
        finish = reason == .stop && calls.count > 0 ? .toolCalls : reason
        guard finish == .stop, word == "STOP_SEQUENCE", let onlyStop else {
            return emit(0, .finish(finish ?? .stop, stop: nil))
        }
        onlyStop.withBytes { emit(0, .finish(.stop, stop: $0)) }
    }

    private static func failed(_ kind: UpstreamError.Kind, _ word: UnsafeRawBufferPointer) -> UpstreamError {
        var error = UpstreamError(
            kind,
            cause: "the vendor ended the response with \(word[part: 0..<min(64, word.count)].text)"
        )
        error.recovery = .nextCandidate
        return error
    }

    func end(_ emit: Emit) {}

    // MARK: Whole responses

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let root = try parser.response(body)
        guard let message = root["message"], message.kind == .object else {
            throw errorReader.error(ofUnanswered: root, "the vendor's response has no message")
        }
        emitReasoning(message["tool_plan"], emit)
        if let text = message["content"]?.text, !text.isEmpty {
            hasParts = true
            emit(0, .text(text))
        }
        for part in message["content"]?.elements ?? JSONElements() { emitContent(part, emit) }
        for call in message["tool_calls"]?.elements ?? JSONElements() {
            try open(call, emit)
            closeCall(emit)
        }
        try end(root, emit)
    }
}

extension Usage {
    /// Creates the usage from Cohere's `usage` object; nil if the object contains no token counts.
    fileprivate init?(ofCohere reported: JSONValue) {
        let (all, billed) = (reported["tokens"], reported["billed_units"])
        let billedPrompt = billed?["input_tokens"]?.reportedTokens
        let billedCompletion = billed?["output_tokens"]?.reportedTokens
        guard let prompt = all?["input_tokens"]?.reportedTokens ?? billedPrompt,
            let completion = all?["output_tokens"]?.reportedTokens ?? billedCompletion
        else { return nil }
        self.init(promptTokens: prompt, completionTokens: completion)
        unbilledPromptTokens = prompt - (billedPrompt ?? prompt)
        unbilledCompletionTokens = completion - (billedCompletion ?? completion)
        cachedTokens = min(prompt, reported["cached_tokens"]?.tokens ?? 0)
    }
}
