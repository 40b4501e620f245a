import Calls
import Engine
import Shared

/// Reads a response of Cohere's Chat API, as a whole or event by event.
///
/// `@unchecked`: used on its loop only.
final class CohereReader: WireReader, @unchecked Sendable {
    private let parser: JSONParser
    private let ids: RandomBytes
    private let names: SentNames
    /// The most tool calls that are emitted; further calls are left out.
    private let mostCalls: Int
    /// Whether the request uses OpenAI's legacy functions, whose calls have no ids.
    private let isLegacy: Bool
    /// The request's only stop sequence; nil if it has none or several.
    var onlyStop: String?
    private var calls = 0
    /// Whether the last tool call may still get arguments.
    private var isCallOpen = false
    private var arguments = CallArguments()
    /// The length of the last tool call's arguments so far, in bytes.
    private var argumentBytes = 0
    private var finish: FinishReason?
    private var hasParts = false
    private(set) var usage: Usage?

    private static let limitOfCalls = 128
    private static let nameLimitBytes = 4_096
    private static let argumentLimitBytes = 8_388_608

    init(_ parser: JSONParser, _ ids: RandomBytes, _ names: SentNames, mostCalls: Int, isLegacy: Bool) {
        self.parser = parser
        self.ids = ids
        self.names = names
        self.mostCalls = mostCalls
        self.isLegacy = isLegacy
    }

    var hasBegun: Bool { hasParts || finish != nil }
    var isFinished: Bool { finish != nil }
    var isWhole: Bool { finish != nil }

    // MARK: Events

    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool {
        // A response without the event that ends it is truncated.
        if data.trimmed.equals("[DONE]") { return isWhole }
        if name.equals("error") { throw FaultReader(parser, Fault.cohere, tellsFields: false).error(ofEvent: data) }
        let root = try parser.answer(data)
        guard let type = root["type"]?.text else {
            if root["message"]?.text != nil || root["error"] != nil { throw FaultReader.error(in: root, Fault.cohere) }
            return false
        }
        if finish != nil { return false }
        let message = root["delta"]?["message"]
        switch type {
        case "content-delta", "content-start": if let content = message?["content"] { tell(content, take) }
        case "tool-plan-delta": tell(thought: message?["tool_plan"], take)
        case "tool-call-start":
            closeCall(take)
            if let call = message?["tool_calls"] { try open(call, take) }
        case "tool-call-delta":
            if let piece = message?["tool_calls"]?["function"]?["arguments"] { try tell(arguments: piece, take) }
        case "tool-call-end": closeCall(take)
        case "message-end": if let delta = root["delta"] { try end(delta, take) }
        default: break
        }
        return false
    }

    // MARK: Parts

    private func tell(_ content: JSONValue, _ take: Take) {
        tell(thought: content["thinking"], take)
        guard let text = content["text"]?.text, !text.isEmpty else { return }
        hasParts = true
        take(0, .text(text))
    }

    private func tell(thought: JSONValue?, _ take: Take) {
        guard let text = thought?.text, !text.isEmpty else { return }
        hasParts = true
        take(0, .reasoning(text))
    }

    private func open(_ call: JSONValue, _ take: Take) throws(UpstreamError) {
        let given = call["id"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        let function = call["function"]
        guard let name = function?["name"]?.text, !name.isEmpty,
            max(name.count, given?.count ?? 0) <= Self.nameLimitBytes
        else { throw .brokenAnswer("a tool call has no valid name") }
        if calls >= mostCalls { return }
        guard calls < Self.limitOfCalls else { throw .brokenAnswer("the response has too many tool calls") }
        calls += 1
        isCallOpen = true
        self.arguments = CallArguments()
        argumentBytes = 0
        hasParts = true
        let id = isLegacy ? [] : given.map { Array($0) } ?? Array(ids.id("call_").utf8)
        let told = names.original(of: name) ?? Array(name)
        id.withUnsafeBytes { id in
            told.withUnsafeBytes { take(0, .toolCall(index: calls - 1, id: id, name: $0)) }
        }
        if let arguments = function?["arguments"] { try tell(arguments: arguments, take) }
    }

    private func tell(arguments: JSONValue, _ take: Take) throws(UpstreamError) {
        guard isCallOpen else { return }
        if let text = arguments.text { return try tell(arguments: text, take) }
        guard arguments.kind == .object else { return }
        let body = arguments.body
        try tell(arguments: body.bytes, take)
    }

    private func tell(arguments: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        try tell(self.arguments.take(Array(arguments)), take)
    }

    private func tell(_ told: [UInt8], _ take: Take) throws(UpstreamError) {
        guard !told.isEmpty else { return }
        argumentBytes += told.count
        guard argumentBytes <= Self.argumentLimitBytes else {
            throw .brokenAnswer("the arguments of a tool call are too long")
        }
        told.withUnsafeBytes { take(0, .toolArguments(index: calls - 1, $0)) }
    }

    /// Ends the last tool call. Emits `{}` if it has no arguments, because arguments must be an object.
    private func closeCall(_ take: Take) {
        guard isCallOpen else { return }
        isCallOpen = false
        guard argumentBytes == 0 else { return }
        let rest = arguments.rest
        let told = rest.isEmpty ? Array("{}".utf8) : rest
        told.withUnsafeBytes { take(0, .toolArguments(index: calls - 1, $0)) }
    }

    // MARK: The end

    /// Ends the response.
    ///
    /// - Parameter told: the object with the finish reason and the usage.
    private func end(_ told: JSONValue, _ take: Take) throws(UpstreamError) {
        closeCall(take)
        if let read = told["usage"].flatMap(Usage.init(ofCohere:)) { usage = read }
        let word = told["finish_reason"]?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        let reason: FinishReason
        switch word {
        case "COMPLETE", "STOP_SEQUENCE": reason = .stop
        case "MAX_TOKENS": reason = .length
        case "TOOL_CALL": reason = mostCalls > 0 ? .toolCalls : .stop
        case "ERROR_TOXIC": reason = .contentFilter
        case "TIMEOUT": throw Self.failed(.timedOut, word)
        case "ERROR": throw Self.failed(.failed, word)
        default:
            guard hasParts, told["error"] == nil else { throw Self.failed(.failed, word) }
            reason = .stop
        }
        finish = reason == .stop && calls > 0 ? .toolCalls : reason
        guard finish == .stop, word == "STOP_SEQUENCE", let onlyStop else {
            return take(0, .finish(finish ?? .stop, stop: nil))
        }
        onlyStop.withBytes { take(0, .finish(.stop, stop: $0)) }
    }

    private static func failed(_ kind: UpstreamError.Kind, _ word: UnsafeRawBufferPointer) -> UpstreamError {
        var error = UpstreamError(
            kind,
            cause: "the vendor ended the response with \(word[part: 0..<min(64, word.count)].text)"
        )
        error.remedy = .elsewhere
        return error
    }

    func end(_ take: Take) {}

    // MARK: Whole responses

    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        let root = try parser.answer(body)
        guard let message = root["message"], message.kind == .object else {
            if root["message"]?.text != nil || root["error"] != nil { throw FaultReader.error(in: root, Fault.cohere) }
            throw .brokenAnswer("the vendor's response has no message")
        }
        tell(thought: message["tool_plan"], take)
        if let text = message["content"]?.text, !text.isEmpty {
            hasParts = true
            take(0, .text(text))
        }
        for part in message["content"]?.elements ?? JSONElements() { tell(part, take) }
        for call in message["tool_calls"]?.elements ?? JSONElements() {
            try open(call, take)
            closeCall(take)
        }
        try end(root, take)
    }

    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer {
        var answer = GatheredAnswer()
        try take(whole: body.bytes) { answer.take($1) }
        return ChatAnswer([answer.finished()], usage: usage)
    }
}

extension Usage {
    /// Reads Cohere's `usage` object; nil if it has no token counts.
    fileprivate init?(ofCohere told: JSONValue) {
        func count(_ name: StaticString) -> Int? {
            told["tokens"]?[name]?.reportedTokens ?? told["billed_units"]?[name]?.reportedTokens
        }
        guard let prompt = count("input_tokens"), let completion = count("output_tokens") else { return nil }
        self.init(promptTokens: prompt, completionTokens: completion)
        cachedTokens = min(prompt, told["cached_tokens"]?.tokens ?? 0)
    }
}
