import Engine
import Shared

/// Parses a response of a Google model, either a complete body or a stream of events.
///
/// `@unchecked`: only one thread uses the reader at a time. This is the thread of its event loop or, for a long
/// response, the worker thread.
final class GeminiReader: WireReader, @unchecked Sendable {
    private let parser: JSONParser
    private let memory: AccountSignatures
    private var calls: EmittedCalls
    private var images = MarkdownImages()
    private var finish: FinishReason?
    private var text = SaidText()
    /// The signature that arrived last with a text or behind it; empty if none has.
    private var signature = ByteBuffer()
    private var hasParts = false
    /// Whether Google ended the response because a tool call in the request lacks a valid thought signature.
    private(set) var missesSignature = false
    private var accumulator = GeminiUsage()

    /// The largest stream event that is accepted, in bytes. It is large enough for an image.
    let eventLimitBytes = 16_777_216

    init(
        _ parser: JSONParser,
        _ ids: RandomBytes,
        names: VendorNameMap,
        memory: AccountSignatures,
        maxCalls: Int,
        isLegacy: Bool
    ) {
        self.parser = parser
        self.memory = memory
        calls = EmittedCalls(names, ids, maxCount: maxCalls, isLegacy: isLegacy)
    }

    var usage: Usage? { accumulator.usage }
    var hasBegun: Bool { hasParts || finish != nil }
    var isFinished: Bool { finish != nil }

    private var errorReader: ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.gemini, namesFields: false)
    }

    // MARK: Events

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        if event.data.trimmed.equals("[DONE]") { return true }
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        try read(try parser.value(ofResponse: event.data), emit)
        return false
    }

    private func read(_ root: JSONValue, _ emit: Emit) throws(UpstreamError) {
        try root.checkResponse()
        if root.containsError { throw errorReader.error(in: root) }
        if let reported = root["usageMetadata"] { accumulator.read(reported) }
        do throws(UpstreamError) { try emitResponse(root, emit) } catch { throw error.after(usage) }
    }

    private func emitResponse(_ root: JSONValue, _ emit: Emit) throws(UpstreamError) {
        guard let candidate = root["candidates"]?.elements?.first(where: { ($0["index"]?.integer ?? 0) == 0 }) else {
            if let reason = root["promptFeedback"]?["blockReason"]?.text, !hasBegun { throw Self.blocked(reason) }
            return
        }
        for part in candidate["content"]?["parts"]?.elements ?? JSONElements() { try emitPart(part, emit) }
        if let word = candidate["finishReason"]?.text, !word.isEmpty { try recordFinish(word) }
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

    private func emitPart(_ part: JSONValue, _ emit: Emit) throws(UpstreamError) {
        let signature = part["thoughtSignature"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        if let text = part["text"]?.text {
            if !text.isEmpty {
                hasParts = true
                let isThought = part["thought"]?.flag == true
                if !isThought { self.text.add(text) }
                emit(0, isThought ? .reasoning(text) : .text(text))
            }
            if let signature { emitSignature(signature, emit) }
        } else if let call = part["functionCall"], call.kind == .object {
            try emitCall(call, signature, emit)
        } else if let data = part["inlineData"], part["thought"]?.flag != true {
            emitImage(data, emit)
        } else if let signature {
            emitSignature(signature, emit)
        }
    }

    private func emitSignature(_ signature: UnsafeRawBufferPointer, _ emit: Emit) {
        hasParts = true
        memory.remember(signature)
        self.signature.removeAll()
        self.signature.append(signature)
        var marked = ByteBuffer(TextSignature.mark)
        marked.append(signature)
        emit(0, .signature(call: nil, marked.bytes))
    }

    private func emitCall(_ call: JSONValue, _ signature: UnsafeRawBufferPointer?, _ emit: Emit) throws(UpstreamError) {
        let given = call["id"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        let reported = call["name"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        guard let name = try calls.nextName(reported, id: given) else { return }
        hasParts = true
        let id = calls.begin(name, id: given, emit)
        let arguments = try arguments(of: call)
        emit(0, .toolArguments(index: calls.lastIndex, arguments.bytes))
        guard !calls.isLegacy, signature != nil || given != nil else { return }
        let hasOwnID = given.map { id.elementsEqual($0) } ?? false
        memory.remember(signature?.text ?? "", ofCall: String(decoding: id, as: UTF8.self), hasOwnID: hasOwnID)
        if let signature { emit(0, .signature(call: calls.lastIndex, signature)) }
    }

    /// Returns the arguments of a tool call, also those that are a text as OpenAI writes them.
    private func arguments(of call: JSONValue) throws(UpstreamError) -> ByteBuffer {
        // Google sends arguments in parts only if a request asks for them.
        guard call["partialArgs"] == nil else { throw .invalidResponse("the arguments of a tool call are in parts") }
        var arguments = ByteBuffer()
        if let text = call["args"]?.text { arguments.append(text) } else { call["args"]?.append(to: &arguments) }
        if arguments.isEmpty { arguments.append("{}") }
        return arguments
    }

    /// Emits a generated image as text: a Markdown image with a data URL.
    private func emitImage(_ data: JSONValue, _ emit: Emit) {
        guard let type = data["mimeType"]?.text, type.hasPrefix("image/"), type.count <= 64,
            let base64 = data["data"]?.text
        else { return }
        hasParts = true
        var opening = images.opening()
        opening.append("data:", type, ";base64,")
        for part in [opening.bytes, base64, MarkdownImages.closing] where !part.isEmpty { emit(0, .text(part)) }
    }

    // MARK: The end

    /// Records the finish reason, which `end` emits later. Throws if the reason stands for a failure.
    private func recordFinish(_ word: UnsafeRawBufferPointer) throws(UpstreamError) {
        switch word {
        case "MISSING_THOUGHT_SIGNATURE":
            missesSignature = true
            let why =
                "The request lacks the signature of a tool call's reasoning. Send 'extra_content' of the assistant message back unchanged."
            throw UpstreamError(.badRequest, message: why, cause: "the vendor ended the response with \(word.text)")
        case "PUP_LIMITED_DISABLED":
            throw UpstreamError(.forbidden, cause: "the vendor ended the response with \(word.text)")
        default:
            let meaning = FinishWord(word)
            guard meaning != .failed, meaning != .unknown || hasParts else { throw Self.failed(word) }
            if case .reason(let reason) = meaning { finish = reason } else { finish = .stop }
        }
    }

    /// Returns the error for a finish reason that stands for a failure.
    private static func failed(_ word: UnsafeRawBufferPointer) -> UpstreamError {
        var error = UpstreamError.ended(with: word)
        error.recovery = [.retrySame, .nextCandidate]
        return error
    }

    func end(_ emit: Emit) throws(UpstreamError) {
        guard let finish else { throw .invalidResponse("the vendor's response has no end") }
        // An empty response is an error.
        guard hasParts || finish != .stop else { throw Self.failed(UnsafeRawBufferPointer("STOP and no part")) }
        if !signature.isEmpty { memory.remember(signature.text, of: text) }
        emit(0, .finish(finish == .stop && calls.count > 0 ? .toolCalls : finish, stop: nil))
    }

    // MARK: Whole responses

    /// Parses a complete response. Some servers send it as an array of events.
    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let root = try parser.value(ofResponse: body)
        guard let events = root.elements else { return try read(root, emit) }
        for event in events { try read(event, emit) }
    }
}

/// Collects the usage of a response. The vendor's counts are cumulative: if it reports one several times, the largest
/// wins.
private struct GeminiUsage {
    private var prompt: Int?
    private var toolPrompt = 0
    private var candidates: Int?
    private var reasoningBlocks: Int?
    private var cached = 0
    private var audioPrompt = 0
    private var audioCandidates = 0
    private var cachedAudio = 0

    mutating func read(_ reported: JSONValue) {
        prompt.raise(to: reported["promptTokenCount"]?.reportedTokens)
        toolPrompt = max(toolPrompt, reported["toolUsePromptTokenCount"]?.tokens ?? 0)
        candidates.raise(to: reported["candidatesTokenCount"]?.reportedTokens)
        reasoningBlocks.raise(to: reported["thoughtsTokenCount"]?.reportedTokens)
        cached = max(cached, reported["cachedContentTokenCount"]?.tokens ?? 0)
        audioPrompt = max(audioPrompt, Self.audio(reported["promptTokensDetails"]))
        audioCandidates = max(audioCandidates, Self.audio(reported["candidatesTokensDetails"]))
        if cached > 0 { cachedAudio = max(cachedAudio, Self.audio(reported["cacheTokensDetails"])) }
    }

    /// Returns the number of audio tokens in a list of `{"modality":"AUDIO","tokenCount":9}`.
    private static func audio(_ details: JSONValue?) -> Int {
        guard let list = details?.elements else { return 0 }
        for part in list where part["modality"]?.text?.equals("AUDIO") ?? false {
            return part["tokenCount"]?.tokens ?? 0
        }
        return 0
    }

    /// The usage so far; nil if the vendor has not reported it.
    var usage: Usage? {
        guard let prompt else { return nil }
        // Google counts reasoning tokens separately from the output tokens.
        let reasoningBlocks = reasoningBlocks ?? 0
        var usage = Usage(promptTokens: prompt + toolPrompt, completionTokens: (candidates ?? 0) + reasoningBlocks)
        usage.reasoningTokens = reasoningBlocks
        usage.cachedTokens = min(usage.promptTokens, cached)
        usage.audioPromptTokens = audioPrompt
        usage.audioCompletionTokens = audioCandidates
        usage.cachedAudioTokens = cachedAudio
        return usage
    }
}
