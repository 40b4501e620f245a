import Engine
import Shared

/// The content of one choice in a chunk or a whole response. Valid until the JSON parser is used again.
struct ChoiceChunk {
    enum Role {
        /// The chunk contains no role, because an earlier chunk contained it.
        case asIs
        /// The chunk is the first one that contains the role of the choice.
        case reported
        case added
        case left
    }

    let index: Int
    /// Whether the choice is ignored: it is neither emitted nor forwarded.
    var isDropped = false
    /// Whether the choice differs from OpenAI's format and must be rewritten before it is forwarded.
    var isOdd = false
    var role = Role.asIs
    var text: UnsafeRawBufferPointer?
    var reasoning: UnsafeRawBufferPointer?
    var refusal: UnsafeRawBufferPointer?
    /// The URLs of generated images.
    var images: [UnsafeRawBufferPointer] = []
    /// Whether the content is a list that has images.
    fileprivate(set) var hasImageParts = false
    /// Whether the content is a list that has parts other than text, reasoning and images.
    fileprivate(set) var hasOtherParts = false
    var calls: [ToolCallChunk] = []
    /// A function call in OpenAI's legacy form.
    var function: (name: UnsafeRawBufferPointer?, arguments: UnsafeRawBufferPointer?)?
    var finish: FinishReason?
    /// The finish reason as the vendor wrote it, if the relay does not know it; nil otherwise.
    var unknownFinish: UnsafeRawBufferPointer?
    /// The joined text parts of the choice, whose bytes `text` points to. Nil if the content is not a list of parts.
    fileprivate(set) var joinedText: Body?
    fileprivate(set) var joinedReasoning: Body?

    fileprivate var isFilled: Bool {
        text != nil || reasoning != nil || refusal != nil || !calls.isEmpty || function != nil || !images.isEmpty
            || hasOtherParts
    }

    /// Whether the choice contains no output, no finish reason and no new role.
    var isEmpty: Bool { isDropped || !isFilled && finish == nil && (role == .asIs || role == .left) }

    /// Whether the choice contains a text and nothing else, in the form that OpenAI's clients expect.
    var isTextAlone: Bool {
        guard text != nil, reasoning == nil, refusal == nil, calls.isEmpty, function == nil, finish == nil else {
            return false
        }
        return !isDropped && !isOdd && role == .asIs && joinedText == nil && images.isEmpty
    }

    /// Adds the content of another choice of the vendor that is a part of this choice.
    mutating func join(_ other: ChoiceChunk) {
        isOdd = true
        if text == nil { (text, joinedText) = (other.text, other.joinedText) }
        if reasoning == nil { (reasoning, joinedReasoning) = (other.reasoning, other.joinedReasoning) }
        // The elements of the other list do not have the same indexes.
        for var call in other.calls {
            call.elementIndex = nil
            calls.append(call)
        }
        unknownFinish = other.unknownFinish
    }
}

/// A reader for one choice of a response. It corrects what differs from OpenAI's format.
struct ChoiceReader {
    private var calls: ToolCallTable
    /// The sequencer that emits the tool calls of the choice one after the other.
    var order = ToolCallSequencer()
    private var hasRole = false
    private var hasFunction = false
    private(set) var finish: FinishReason?
    /// The reason that arrived last together with output, in a stream. More output can follow: some servers send the
    /// reason in every chunk.
    private var reported: FinishReason?
    /// Whether output has followed a finish reason.
    private var goesOn = false
    /// Whether at least one chunk of the choice has arrived.
    private(set) var isReported = false
    /// Whether the choice contains a text, a tool call or other output so far.
    private(set) var isFilled = false
    /// The word of vLLM or SGLang for the end of the choice: a stop sequence, or anything else.
    private(set) var stop: String?
    private let maxCalls: Int

    /// Creates a reader for one choice. The reader ignores all tool calls after the first `maxCalls`.
    /// - Parameter isNative: whether the client gets tool calls of other types than OpenAI's as they came.
    init(maxCalls: Int, isNative: Bool, ids: RandomBytes) {
        self.maxCalls = maxCalls
        calls = ToolCallTable(keepsOtherTypes: isNative, ids: ids)
    }

    /// Whether the choice is complete.
    var isWhole: Bool { finish != nil || reported != nil }
    /// Whether no more output of the choice is expected.
    var isFinished: Bool { finish != nil || reported != nil && isFilled && !goesOn }

    /// Reads the choice in the next chunk, or in a whole response.
    /// - Parameters:
    ///   - name: the member that contains the output: `delta` or `message`.
    ///   - isWhole: whether the choice belongs to a response that is not streamed.
    ///   - raw: the JSON of the choice.
    mutating func consume(
        _ choice: JSONValue,
        index: Int,
        message name: StaticString,
        isWhole: Bool,
        raw: @autoclosure () -> RawJSON?
    ) throws(UpstreamError) -> ChoiceChunk {
        var piece = ChoiceChunk(index: index)
        if let error = choice["error"], error.kind == .object || error.kind == .string {
            throw ErrorResponseReader.error(in: error, VendorError.openAI)
        }
        guard finish == nil else {
            piece.isDropped = true
            return piece
        }
        if let message = choice[name], message.kind == .object {
            readRole(message, &piece, isWhole: isWhole)
            readTexts(message, &piece, isWhole: isWhole) { raw()?[name]?[$0]?.bytes }
            for image in message["images"]?.elements ?? JSONElements() {
                if let url = image["image_url"]?["url"]?.text { piece.images.append(url) }
            }
            try readCalls(message, of: choice, &piece, isWhole: isWhole)
        } else if let text = (choice[name] ?? choice["text"])?.text, !text.isEmpty {
            // A few servers write the text without the object around it, or as in completions.
            (piece.text, piece.isOdd) = (text, true)
            if !hasRole { piece.role = .added }
            hasRole = true
        } else if choice["finish_reason"]?.text == nil {
            piece.isDropped = true
            return piece
        } else {
            piece.isOdd = true
        }
        if reported != nil, piece.isFilled { goesOn = true }
        try readFinish(choice, &piece, isWhole: isWhole)
        if !isFilled { isFilled = piece.isFilled || choice[name]?["audio"]?.kind == .object }
        isReported = true
        return piece
    }

    /// Whether no tool call of the choice has been emitted.
    private var isWithoutCalls: Bool { maxCalls == 0 || calls.isEmpty }

    /// Ends a choice with the finish reason that arrived last; without one, with `stop` or `tool_calls`.
    mutating func end(_ piece: inout ChoiceChunk) throws(UpstreamError) {
        if reported == nil { piece.isOdd = true }
        try end(&piece, reported ?? (hasFunction ? .toolCalls : .stop))
        if hasFunction, calls.isEmpty, piece.function == nil { piece.function = (nil, nil) }
    }

    private mutating func end(_ piece: inout ChoiceChunk, _ reported: FinishReason) throws(UpstreamError) {
        let missing = try missingCalls(isCut: reported == .length || reported == .contentFilter)
        var reason = reported
        if reason == .stop, !isWithoutCalls { reason = .toolCalls }
        if reason == .toolCalls, maxCalls == 0, !hasFunction { reason = .stop }
        finish = reason
        piece.finish = reason
        piece.calls += missing
        if reason != reported || !missing.isEmpty { piece.isOdd = true }
    }

    private mutating func missingCalls(isCut: Bool) throws(UpstreamError) -> [ToolCallChunk] {
        try calls.end(isCut: isCut).filter { $0.index < maxCalls }
    }

    private mutating func readRole(_ message: JSONValue, _ piece: inout ChoiceChunk, isWhole: Bool) {
        let isSaid = message["role"]?.text?.isEmpty == false
        if isSaid {
            piece.role = hasRole ? .left : .reported
        } else if !hasRole {
            piece.role = .added
        }
        hasRole = true
        if piece.role == .added || piece.role == .left { piece.isOdd = true }
    }

    // MARK: Texts

    /// Reads the texts of a message.
    /// - Parameter written: returns the JSON of a member. Some servers send a text such as `1` without quotes.
    private func readTexts(
        _ message: JSONValue,
        _ piece: inout ChoiceChunk,
        isWhole: Bool,
        written: (StaticString) -> UnsafeRawBufferPointer?
    ) {
        if let content = message["content"] {
            if let text = content.text {
                piece.text = text.isEmpty ? nil : text
            } else if content.kind == .array || content.kind == .object {
                piece.isOdd = true
                readParts(content, &piece, isWhole: isWhole)
            } else {
                piece.isOdd = true
                if content.isBareText { piece.text = written("content") }
            }
        }
        let reportedReasoning = message["reasoning_content"]
        var named = reportedReasoning?.text
        if let reportedReasoning, named == nil {
            piece.isOdd = true
            if reportedReasoning.isBareText { named = written("reasoning_content") }
        }
        var other = message["reasoning"]?.text ?? message["thinking"]?.text
        if other == nil, named == nil, message["reasoning"]?.isBareText ?? false { other = written("reasoning") }
        if let reasoningBlock = named ?? other, !reasoningBlock.isEmpty {
            piece.reasoning = reasoningBlock
            if named == nil { piece.isOdd = true }
        } else if piece.text == nil || isWhole {
            readOtherReasoning(message, &piece, isWhole: isWhole)
        }
        if let reported = message["refusal"] {
            if let refusal = reported.text, !refusal.isEmpty { piece.refusal = refusal }
            if reported.kind != .string { piece.isOdd = true }
        }
    }

    /// Reads reasoning that is a list or an object (OpenRouter), or that has the name `reasoning_text` (GitHub Copilot).
    @inline(never)  // Rarely called.
    private func readOtherReasoning(_ message: JSONValue, _ piece: inout ChoiceChunk, isWhole: Bool) {
        let names: [StaticString] = [
            "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details",
        ]
        // In streams, MiniMax's details repeat what they have said.
        for name in isWhole ? names[...] : names.dropLast() {
            var text = ByteBuffer()
            message[name]?.appendReasoning(to: &text)
            if text.isEmpty { continue }
            let joined = Body(text)
            (piece.joinedReasoning, piece.reasoning, piece.isOdd) = (joined, joined.bytes, true)
            return
        }
    }

    /// Reads content that is one part or a list of parts: of reasoning and text (Mistral's models, Databricks), or images
    /// (vLLM). Other parts go on as they came if a whole response has nothing else: clients expect a text.
    private func readParts(_ content: JSONValue, _ piece: inout ChoiceChunk, isWhole: Bool) {
        var text = ByteBuffer()
        var reasoningBlock = ByteBuffer()
        if content.kind == .object { readPart(content, &piece, &text, &reasoningBlock) }
        for part in content.elements ?? JSONElements() { readPart(part, &piece, &text, &reasoningBlock) }
        if !text.isEmpty {
            let joined = Body(text)
            piece.joinedText = joined
            piece.text = joined.bytes
        }
        if !reasoningBlock.isEmpty {
            let joined = Body(reasoningBlock)
            piece.joinedReasoning = joined
            piece.reasoning = joined.bytes
        }
        if !isWhole || piece.text != nil || piece.reasoning != nil { piece.hasOtherParts = false }
    }

    private func readPart(
        _ part: JSONValue,
        _ piece: inout ChoiceChunk,
        _ text: inout ByteBuffer,
        _ reasoningBlock: inout ByteBuffer
    ) {
        let type = part["type"]?.text
        if type == "thinking" || type == "reasoning" {
            (part["thinking"] ?? part).appendReasoning(to: &reasoningBlock)
        } else if let plain = part.text ?? part["text"]?.text {
            text.append(plain)
        } else if let image = part["image_url"], let url = image.text ?? image["url"]?.text {
            piece.images.append(url)
            piece.hasImageParts = true
        } else if type != nil {
            piece.hasOtherParts = true
        }
    }

    // MARK: Calls

    private mutating func readCalls(
        _ message: JSONValue,
        of choice: JSONValue,
        _ piece: inout ChoiceChunk,
        isWhole: Bool
    ) throws(UpstreamError) {
        if let list = message["tool_calls"] {
            calls.isLastList = isWhole || choice["finish_reason"]?.text?.isEmpty == false
            var elementIndex = 0
            for delta in list.elements ?? JSONElements() {
                try readCall(delta, at: elementIndex, &piece, isWhole: isWhole)
                elementIndex += 1
            }
            if elementIndex == 0 {
                piece.isOdd = true
                if list.kind == .object { try readCall(list, at: 0, &piece, isWhole: isWhole) }
            }
        }
        guard isWithoutCalls, maxCalls > 0, let function = message["function_call"] else { return }
        guard function.kind == .object else {
            piece.isOdd = true
            return
        }
        let name = function["name"]?.text
        piece.function = (hasFunction ? nil : name, function["arguments"]?.text)
        hasFunction = true
    }

    private mutating func readCall(
        _ delta: JSONValue,
        at elementIndex: Int,
        _ piece: inout ChoiceChunk,
        isWhole: Bool
    ) throws(UpstreamError) {
        let read = try calls.consume(delta, at: elementIndex, isWhole: isWhole, &piece.isOdd)
        guard let read, read.index < maxCalls else {
            piece.isOdd = true
            return
        }
        if read.isFirst { try appendUnsentObjects(to: &piece) }
        piece.calls.append(read)
    }

    private mutating func appendUnsentObjects(to piece: inout ChoiceChunk) throws(UpstreamError) {
        let chunks = try calls.unsentObjects()
        guard !chunks.isEmpty else { return }
        piece.isOdd = true
        piece.calls += chunks
    }

    // MARK: The end

    private static let maxStopBytes = 1_024

    private mutating func readFinish(
        _ choice: JSONValue,
        _ piece: inout ChoiceChunk,
        isWhole: Bool
    ) throws(UpstreamError) {
        guard let said = choice["finish_reason"] else {
            if !choice.has("finish_reason") { piece.isOdd = true }
            return
        }
        guard let word = said.text, !word.isEmpty else {
            piece.isOdd = true
            return
        }
        if let text = (choice["stop_reason"] ?? choice["matched_stop"])?.text, text.count <= Self.maxStopBytes {
            stop = text.text
        }
        let mayGoOn = piece.isFilled || piece.role == .reported || goesOn
        var reason = FinishReason.stop
        switch FinishWord(word) {
        case .failed: throw .ended(with: word)
        case .reason(.pause), .unknown: if isWhole || piece.isFilled || !mayGoOn { piece.unknownFinish = word }
        case .reason(let known): reason = known
        }
        if !word.equals(reason.name(isOld: hasFunction && calls.isEmpty)) { piece.isOdd = true }
        if reason == .toolCalls, maxCalls > 0, isWithoutCalls, !hasFunction, !mayGoOn { piece.unknownFinish = word }
        guard isWhole || mayGoOn else { return try end(&piece, reason) }
        reported = reason
        if !isWhole { piece.isOdd = true }
    }
}

extension JSONValue {
    /// Appends the text of reasoning, which is a text, an object with it, or a list of such objects.
    fileprivate func appendReasoning(to out: inout ByteBuffer, depth: Int = 0) {
        if let text { return out.append(text) }
        guard depth < 3 else { return }
        for part in elements ?? JSONElements() { part.appendReasoning(to: &out, depth: depth + 1) }
        (self["text"] ?? self["summary"] ?? self["thinking"])?.appendReasoning(to: &out, depth: depth + 1)
    }

    /// Whether the value is a number or a boolean, which some servers send in place of a text.
    fileprivate var isBareText: Bool {
        switch kind {
        case .integer, .decimal, .flag: true
        default: false
        }
    }
}
