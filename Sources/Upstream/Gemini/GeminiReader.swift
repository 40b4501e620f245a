import Calls
import Engine
import Shared

/// Reads generated content, as a whole or event by event. Each event is a response with the next parts.
///
/// `@unchecked`: used on its loop only.
final class GeminiReader: WireReader, @unchecked Sendable {
    private let parser: JSONParser
    private let ids: RandomBytes
    private let names: SentNames
    private let memory: AccountSignatures
    /// The most tool calls that are emitted; further calls are left out.
    private let mostCalls: Int
    /// Whether the request uses OpenAI's legacy functions, whose calls have no ids.
    private let isLegacy: Bool
    private var calls = 0
    private var pictures = 0
    private var finish: FinishReason?
    private var hasParts = false
    /// Whether the vendor ended the response because a tool call in the request has no valid thought signature.
    private(set) var missesSignature = false
    private var tally = GeminiUsage()

    /// The largest event that is accepted, in bytes; enough for an image. A whole response has the same limit.
    let eventLimitBytes = 16_777_216
    private static let limitOfCalls = 128
    private static let nameLimitBytes = 4_096

    init(
        _ parser: JSONParser,
        _ ids: RandomBytes,
        _ names: SentNames,
        _ memory: AccountSignatures,
        mostCalls: Int,
        isLegacy: Bool
    ) {
        self.parser = parser
        self.ids = ids
        self.names = names
        self.memory = memory
        self.mostCalls = mostCalls
        self.isLegacy = isLegacy
    }

    var usage: Usage? { tally.usage }
    var hasBegun: Bool { hasParts || finish != nil }
    var isFinished: Bool { finish != nil }
    var isWhole: Bool { finish != nil }

    // MARK: Events

    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool {
        if data.trimmed.equals("[DONE]") { return true }
        if name.equals("error") { throw FaultReader(parser, Fault.gemini, tellsFields: false).error(ofEvent: data) }
        try read(try parser.value(ofAnswer: data), take)
        return false
    }

    private func read(_ root: JSONValue, _ take: Take) throws(UpstreamError) {
        try root.checkAnswer()
        if root.tellsError { throw FaultReader.error(in: root, Fault.gemini) }
        if let told = root["usageMetadata"] { tally.take(told) }
        do throws(UpstreamError) { try tell(root, take) } catch { throw error.after(usage) }
    }

    private func tell(_ root: JSONValue, _ take: Take) throws(UpstreamError) {
        guard let candidate = root["candidates"]?.elements?.first(where: { ($0["index"]?.integer ?? 0) == 0 }) else {
            if let reason = root["promptFeedback"]?["blockReason"]?.text, !hasBegun { throw Self.blocked(reason) }
            return
        }
        for part in candidate["content"]?["parts"]?.elements ?? JSONElements() { try tell(part: part, take) }
        if let word = candidate["finishReason"]?.text, !word.isEmpty { try noteFinish(word) }
    }

    private static func blocked(_ reason: UnsafeRawBufferPointer) -> UpstreamError {
        var error = UpstreamError(
            .badRequest,
            message: "The provider blocked the prompt.",
            cause: "the vendor blocked the prompt: \(reason[part: 0..<min(64, reason.count)].text)"
        )
        error.code = "content_filter"
        return error
    }

    // MARK: Parts

    private func tell(part: JSONValue, _ take: Take) throws(UpstreamError) {
        let signature = part["thoughtSignature"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        if let text = part["text"]?.text {
            if !text.isEmpty {
                hasParts = true
                take(0, part["thought"]?.flag == true ? .reasoning(text) : .text(text))
            }
            if let signature { tell(signature, take) }
        } else if let call = part["functionCall"], call.kind == .object {
            try tell(call, signature, take)
        } else if let data = part["inlineData"], part["thought"]?.flag != true {
            tell(picture: data, take)
        } else if let signature {
            tell(signature, take)
        }
    }

    private func tell(_ signature: UnsafeRawBufferPointer, _ take: Take) {
        hasParts = true
        memory.remember(signature)
        var marked = ByteBuffer(TextSignature.mark)
        marked.append(signature)
        take(0, .signature(call: nil, marked.bytes))
    }

    private func tell(
        _ call: JSONValue,
        _ signature: UnsafeRawBufferPointer?,
        _ take: Take
    ) throws(UpstreamError) {
        let given = call["id"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        guard let name = call["name"]?.text, !name.isEmpty, max(name.count, given?.count ?? 0) <= Self.nameLimitBytes
        else {
            throw .brokenAnswer("a tool call has no valid name")
        }
        if calls >= mostCalls { return }
        guard calls < Self.limitOfCalls else { throw .brokenAnswer("the response has too many tool calls") }
        let index = calls
        calls += 1
        hasParts = true
        let id = isLegacy ? "" : given?.text ?? ids.id("call_")
        let told = names.original(of: name) ?? Array(name)
        Array(id.utf8).withUnsafeBytes { id in
            told.withUnsafeBytes { take(0, .toolCall(index: index, id: id, name: $0)) }
        }
        var arguments = ByteBuffer()
        if let args = call["args"], args.kind == .object { args.append(to: &arguments) } else { arguments.append("{}") }
        take(0, .toolArguments(index: index, arguments.bytes))
        guard !isLegacy, signature != nil || given != nil else { return }
        memory.remember(signature?.text ?? "", ofCall: id, hasOwnID: given != nil)
        if let signature { take(0, .signature(call: index, signature)) }
    }

    /// Emits an image as a Markdown image with a data URL.
    private func tell(picture data: JSONValue, _ take: Take) {
        guard let type = data["mimeType"]?.text, type.hasPrefix("image/"), type.count <= 64,
            let base64 = data["data"]?.text
        else { return }
        pictures += 1
        hasParts = true
        var around = ByteBuffer()
        around.append(pictures == 1 ? "![Image " : "\n![Image ")
        around.append(decimal: pictures)
        around.append("](data:")
        around.append(type)
        around.append(";base64,")
        take(0, .text(around.bytes))
        // The data may be long, so it is emitted without a copy.
        if !base64.isEmpty { take(0, .text(base64)) }
        around.removeAll()
        around.append(")")
        take(0, .text(around.bytes))
    }

    // MARK: The end

    /// Records the finish reason, which `end` emits. Some servers send a finish reason before the last parts.
    private func noteFinish(_ word: UnsafeRawBufferPointer) throws(UpstreamError) {
        switch word {
        case "STOP": finish = calls > 0 ? .toolCalls : .stop
        case "MAX_TOKENS", "CONTINUATION": finish = .length
        case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION":
            finish = .contentFilter
        case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS", "OTHER",
            "NO_IMAGE", "IMAGE_OTHER":
            throw Self.failed(word)
        case "MISSING_THOUGHT_SIGNATURE":
            missesSignature = true
            let why =
                "The request lacks the signature of a tool call's reasoning. Send 'extra_content' of the assistant message back unchanged."
            throw UpstreamError(.badRequest, message: why, cause: "the vendor ended the response with \(word.text)")
        case "PUP_LIMITED_DISABLED":
            throw UpstreamError(.forbidden, cause: "the vendor ended the response with \(word.text)")
        default:
            guard hasParts else { throw Self.failed(word) }
            finish = calls > 0 ? .toolCalls : .stop
        }
    }

    /// The error for a response that may succeed when it is retried.
    private static func failed(_ word: UnsafeRawBufferPointer) -> UpstreamError {
        var error = UpstreamError.brokenAnswer(
            "the vendor ended the response with \(word[part: 0..<min(64, word.count)].text)"
        )
        error.remedy = [.again, .elsewhere]
        return error
    }

    func end(_ take: Take) throws(UpstreamError) {
        guard let finish else { throw .brokenAnswer("the vendor's response has no end") }
        // An empty response is an error.
        guard hasParts || finish != .stop else { throw Self.failed(Self.nothing) }
        take(0, .finish(finish == .stop && calls > 0 ? .toolCalls : finish, stop: nil))
    }

    private static var nothing: UnsafeRawBufferPointer {
        let word: StaticString = "STOP and no part"
        return UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    }

    // MARK: Whole responses

    /// Reads a whole response. Some servers send it as a list of events.
    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        let root = try parser.value(ofAnswer: body)
        guard let events = root.elements else { return try read(root, take) }
        for event in events { try read(event, take) }
    }

    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer {
        var answer = GatheredAnswer()
        try take(whole: body.bytes) { answer.take($1) }
        guard hasBegun else { throw .brokenAnswer("the vendor's response has no candidate") }
        try end { answer.take($1) }
        return ChatAnswer([answer.finished()], usage: usage)
    }
}

/// The usage of a response. Each event reports it, and the last report of each number wins. Reasoning tokens are not
/// part of the candidates' tokens.
private struct GeminiUsage {
    private var prompt: Int?
    private var toolPrompt = 0
    private var candidates = 0
    private var thoughts = 0
    private var cached = 0

    mutating func take(_ told: JSONValue) {
        prompt = told["promptTokenCount"]?.reportedTokens ?? prompt
        toolPrompt = told["toolUsePromptTokenCount"]?.tokens ?? toolPrompt
        candidates = told["candidatesTokenCount"]?.reportedTokens ?? candidates
        thoughts = told["thoughtsTokenCount"]?.reportedTokens ?? thoughts
        cached = told["cachedContentTokenCount"]?.tokens ?? cached
    }

    /// The usage so far; nil if the vendor has not reported it.
    var usage: Usage? {
        guard let prompt else { return nil }
        var usage = Usage(promptTokens: prompt + toolPrompt, completionTokens: candidates + thoughts)
        usage.reasoningTokens = thoughts
        usage.cachedTokens = min(usage.promptTokens, cached)
        return usage
    }
}
