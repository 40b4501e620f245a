import Engine
import Shared

/// Parses a response of the Messages API, either a complete body or a stream of events.
///
/// `@unchecked`: used by one thread at a time, the thread of its event loop or the worker thread.
final class AnthropicReader: WireReader, @unchecked Sendable {
    /// A content block that has begun and has not ended yet.
    private struct Block {
        enum Kind {
            case call(Int)
            case thinking
            case other
        }

        /// The `index` that the vendor gives to the content block.
        let number: Int64
        let kind: Kind
        /// The size of the call arguments so far, in bytes; 0 if the block is no tool call.
        var bytes = 0
        /// The arguments with which the tool call began. Deltas replace them.
        var input: Body?
    }

    private let parser: JSONParser
    /// The requested model, by the vendor's id.
    var model: String {
        get { accumulator.model }
        set { accumulator = MessageUsage(of: newValue) }
    }
    /// Whether the client gets the vendor's events and body unchanged. Whatever the relay does not understand then is
    /// no error.
    var isNative = false
    private var passed = ByteBuffer()
    private var blocks: [Block] = []
    private var calls: EmittedCalls
    var maxCalls: Int {
        get { calls.maxCount }
        set { calls.maxCount = newValue }
    }
    private var signature = ByteBuffer()
    private var deltas = TextDeltaScanner()
    /// The halves of surrogate pairs in events that the client gets as they came.
    private var pairs = SurrogatePairJoiner()
    private var finish: FinishReason?
    /// Whether output other than a tool call is emitted at once. False after the end, and while a tool call is open,
    /// unless the client gets the vendor's events.
    private var emitsText = true
    /// The output that arrived while a tool call was open. It follows the call; nil if there is none.
    private var later: EventLog?
    /// Whether the vendor paused the response (`pause_turn`) and the relay has not requested the rest yet.
    private var isPaused = false
    private(set) var pause: PausedResponse?
    private var accumulator = MessageUsage(of: "")
    /// The earlier parts of the response, in order; each ended with a pause of the vendor (`pause_turn`).
    private var earlier: [PausedResponse]
    private var isEarlierReported = false
    /// The recorder of the content blocks since the vendor's last pause.
    private var said: ContentBlockRecorder
    private(set) var hasBegun = false

    private static let maxBlocks = 64
    private static let maxPauses = 5

    /// - Parameters:
    ///   - earlier: the parts of the response before the vendor's pauses; their events are emitted first.
    ///   - mayGoOn: whether to record the content blocks of a stream, so that the response can continue after a pause.
    init(
        _ parser: JSONParser,
        _ ids: RandomBytes,
        names: VendorNameMap,
        isLegacy: Bool,
        after earlier: [PausedResponse] = [],
        mayGoOn: Bool = false
    ) {
        self.parser = parser
        calls = EmittedCalls(names, ids, maxCount: .max, isLegacy: isLegacy)
        self.earlier = earlier
        said = ContentBlockRecorder(keeps: mayGoOn)
    }

    var usage: Usage? {
        guard let last = earlier.last else { return accumulator.usage }
        guard let before = last.usage, let usage = accumulator.usage else { return nil }
        return before + usage
    }

    var models: ModelUsages? {
        guard let last = earlier.last else { return accumulator.models }
        return usage == nil ? nil : last.models + accumulator.models
    }

    var isFinished: Bool { finish != nil }

    // MARK: Events

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        if let text = deltas.text(event.data, named: event.name) {
            if isNative { passOn(event.data, named: event.name, emit) }
            if emitsText {
                said.add(text)
                emitText(text, emit)
            } else if finish == nil {
                said.add(text)
                hold(.text(text), emit)
            }
            return false
        }
        let root: JSONValue
        do throws(UpstreamError) {
            root = try parser.response(event.data)
        } catch {
            guard let rewritten = pairs.rewritten(event.data) else { throw error }
            root = try parser.response(rewritten)
        }
        if root["type"] == nil { try errorReader.check(unknown: root) }
        guard isNative else { return try consume(root, emit) }
        if root["type"]?.text == "error" { throw errorReader.error(ofEvent: event.data) }
        passOn(event.data, named: event.name, emit)
        do throws(UpstreamError) {
            return try consume(root, emit)
        } catch _ {
            return false
        }
    }

    private var errorReader: ErrorResponseReader {
        var reader = ErrorResponseReader(parser, VendorError.anthropic, namesFields: false)
        reader.passesErrors = isNative
        return reader
    }

    /// Emits an event of the vendor for the client.
    private func passOn(_ data: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer, _ emit: Emit) {
        passed.removeAll()
        EventStreamParser.Event(data, named: name).append(to: &passed)
        emit(0, .native(.messages, passed.bytes))
    }

    /// Consumes a parsed event. Returns whether it is the end mark of the stream.
    private func consume(_ root: JSONValue, _ emit: Emit) throws(UpstreamError) -> Bool {
        switch root["type"]?.text {
        case "content_block_delta":
            if let delta = root["delta"], finish == nil { try read(delta: delta, of: root, emit) }
        case "content_block_start":
            if let block = root["content_block"], finish == nil {
                accumulator.countUse(in: block)
                said.begin(block, isAlone: blocks.isEmpty)
                try open(block, number(of: root), emit)
                // The client may wait for a block of which the vendor shows nothing but its progress.
                if isNative { emitBeginning(emit) }
            }
        case "content_block_stop": if finish == nil { close(number(of: root), emit) }
        case "message_start":
            accumulator.read(model: root["message"]?["model"])
            accumulator.read(root["message"]?["usage"])
            if !earlier.isEmpty { try emitEarlier(emit) }
        case "message_delta":
            accumulator.read(root["usage"])
            if let delta = root["delta"], finish == nil { try end(delta, emit) }
        case "message_stop": return finish != nil
        case "message": if finish == nil { try emitMessage(root, emit) }
        default: try checkError(root)
        }
        return false
    }

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool {
        guard emitsText, let text = deltas.text(from: &events) else { return false }
        hasBegun = true
        if isNative { emit(0, .native(.messages, events.lastEvent)) }
        said.add(text)
        emit(0, .text(text, isPlain: true))
        return true
    }

    private func number(of root: JSONValue) -> Int64 { root["index"]?.integer ?? 0 }

    private func checkError(_ root: JSONValue) throws(UpstreamError) {
        if root["type"]?.text == "error" || root.containsError {
            throw errorReader.error(in: root)
        }
    }

    // MARK: Blocks

    private func open(_ block: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        close(number, emit)
        guard blocks.count < Self.maxBlocks else { throw .invalidResponse("the response has too many open blocks") }
        var kind = Block.Kind.other
        switch block["type"]?.text {
        case "text": emitOutput(block["text"]?.text, emit) { .text($0) }
        case "thinking":
            kind = .thinking
            signature.removeAll()
            emitOutput(block["thinking"]?.text, emit) { .reasoning($0) }
            if let signature = block["signature"]?.text { self.signature.append(signature) }
        case "redacted_thinking":
            emitOutput(block["data"]?.text, emit) { .encryptedReasoning($0) }
        case "tool_use": if let index = try openCall(block, emit) { kind = .call(index) }
        default: break
        }
        blocks.append(Block(number: number, kind: kind))
        guard case .call = kind, let input = block["input"] else { return }
        // Some servers send the arguments as OpenAI writes them: as a text.
        let written = input.text.flatMap { $0.first == UInt8(ascii: "{") ? Body(ByteBuffer($0.text)) : nil }
        // Most calls begin with an empty input, and send the arguments in chunks.
        guard let text = input.kind == .object ? input.body : written else { return }
        guard text.bytes.count > 2 else { return }
        guard text.bytes.count <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
        blocks[blocks.count - 1].input = text
    }

    /// Emits the beginning of a tool call. Returns the index of the tool call; nil if it is dropped.
    private func openCall(_ block: JSONValue, _ emit: Emit) throws(UpstreamError) -> Int? {
        let id = block["id"]?.text
        guard let name = try calls.nextName(block["name"]?.text, id: id) else { return nil }
        settleCall(emit)
        emitLater(emit)
        hasBegun = true
        emitsText = isNative
        calls.begin(name, id: id, emit)
        return calls.lastIndex
    }

    /// Emits the arguments of the last tool call if its block is still open and got no deltas.
    private func settleCall(_ emit: Emit) {
        for blockIndex in blocks.indices where blocks[blockIndex].bytes == 0 {
            guard case .call(let index) = blocks[blockIndex].kind, index == calls.lastIndex else { continue }
            emitInput(blocks[blockIndex].input, ofCall: index, emit)
            blocks[blockIndex].bytes = 2
        }
    }

    private func read(delta: JSONValue, of root: JSONValue, _ emit: Emit) throws(UpstreamError) {
        switch delta["type"]?.text {
        case "text_delta":
            said.add(delta["text"]?.text)
            emitOutput(delta["text"]?.text, emit) { .text($0) }
        case "thinking_delta":
            said.add(delta["thinking"]?.text)
            emitOutput(delta["thinking"]?.text, emit) { .reasoning($0) }
        case "input_json_delta":
            said.add(delta["partial_json"]?.text)
            let number = number(of: root)
            guard let piece = delta["partial_json"]?.text, !piece.isEmpty,
                let blockIndex = blocks.lastIndex(where: { $0.number == number }),
                case .call(let index) = blocks[blockIndex].kind
            else { return }
            try emitArguments(piece, ofCall: index, at: blockIndex, emit)
        case "signature_delta":
            guard let piece = delta["signature"]?.text else { return }
            guard signature.count + piece.count <= WireStream.eventLimitBytes else {
                throw .invalidResponse("the signature of the reasoning is too long")
            }
            signature.append(piece)
            said.add(signature: piece)
        default: break
        }
    }

    private func close(_ number: Int64, _ emit: Emit) {
        guard let blockIndex = blocks.lastIndex(where: { $0.number == number }) else { return }
        let block = blocks.remove(at: blockIndex)
        switch block.kind {
        case .call(let index):
            if block.bytes == 0 { emitInput(block.input, ofCall: index, emit) }
            if index == calls.lastIndex { emitLater(emit) }
        case .thinking: emitSignature(emit)
        case .other: break
        }
    }

    // MARK: Emitting events

    private func emitText(_ text: UnsafeRawBufferPointer?, _ emit: Emit) {
        guard let text, !text.isEmpty else { return }
        hasBegun = true
        emit(0, .text(text))
    }

    private func emitBeginning(_ emit: Emit) {
        hasBegun = true
        emit(0, .text(UnsafeRawBufferPointer(start: nil, count: 0)))
    }

    /// Emits output other than a tool call, or holds it back until the open tool call ends.
    private func emitOutput(
        _ output: UnsafeRawBufferPointer?,
        _ emit: Emit,
        event: (UnsafeRawBufferPointer) -> ChatEvent
    ) {
        guard let output, !output.isEmpty else { return }
        hasBegun = true
        if emitsText { emit(0, event(output)) } else { hold(event(output), emit) }
    }

    /// Holds output back until the open tool call ends. Of much output nothing is held back.
    @inline(never)  // Rarely called.
    private func hold(_ event: ChatEvent, _ emit: Emit) {
        let log = later ?? EventLog()
        log.append(0, event)
        later = log
        if log.bytes.count > MemoryBudget.smallBytes { emitLater(emit) }
    }

    private func emitLater(_ emit: Emit) {
        emitsText = true
        guard let log = later.take() else { return }
        while log.next(emit) {}
    }

    private func emitSignature(_ emit: Emit) {
        emitOutput(signature.bytes, emit) { .signature(call: nil, $0) }
        signature.removeAll()
    }

    private func emitArguments(
        _ arguments: UnsafeRawBufferPointer,
        ofCall index: Int,
        at blockIndex: Int,
        _ emit: Emit
    ) throws(UpstreamError) {
        guard index == calls.lastIndex else { throw .invalidResponse("the response mixes its tool calls") }
        blocks[blockIndex].bytes += arguments.count
        guard blocks[blockIndex].bytes <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
        emit(0, .toolArguments(index: index, arguments))
    }

    /// Emits the arguments of a tool call that got no deltas: those with which it began, or `{}`.
    private func emitInput(_ input: Body?, ofCall index: Int, _ emit: Emit) {
        guard index == calls.lastIndex else { return }
        if let input { return emit(0, .toolArguments(index: index, input.bytes)) }
        emit(0, .toolArguments(index: index, UnsafeRawBufferPointer("{}")))
    }

    // MARK: The end

    private func end(_ delta: JSONValue, _ emit: Emit) throws(UpstreamError) {
        guard let word = delta["stop_reason"]?.text, !word.isEmpty else { return }
        while let last = blocks.last { close(last.number, emit) }
        var known = FinishReason.stop
        if case .reason(let reason) = FinishWord(word) {
            known = reason
        } else if !hasBegun, !isNative {
            throw .ended(with: word)
        }
        if known == .refusal, let why = delta["stop_details"]?["explanation"]?.text, !why.isEmpty {
            emit(0, .refusal(why))
        }
        // A pause leaves only calls of the vendor's own tools open.
        var reason = (known == .stop || known == .pause) && calls.count > 0 ? .toolCalls : known
        if reason == .toolCalls, calls.count == 0 {
            // The calls are in blocks that the relay does not know.
            guard hasBegun || isNative || calls.maxCount == 0 else { throw .ended(with: word) }
            reason = .stop
        }
        finish = reason
        (hasBegun, emitsText) = (true, false)
        if reason == .pause {
            isPaused = true
            recordPause(said.removeBody())
            return
        }
        emit(0, .finish(reason, stop: word.equals("stop_sequence") ? delta["stop_sequence"]?.text : nil))
    }

    func end(_ emit: Emit) { if isPaused { emit(0, .finish(.pause, stop: nil)) } }

    /// Records that the vendor paused the response.
    /// - Parameter content: the content blocks of the paused part; nil if not completely recorded.
    private func recordPause(_ content: Body?) {
        // The client itself requests the rest.
        guard !isNative, let content, earlier.count < Self.maxPauses else { return }
        pause = PausedResponse(content, usage: usage, models: models)
    }

    func goOn() {
        if let pause { earlier.append(pause) }
        (pause, isPaused, finish, emitsText) = (nil, false, nil, true)
        isEarlierReported = true
        accumulator = MessageUsage(of: accumulator.model)
    }

    // MARK: Whole responses

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        try emitMessage(try parser.response(body), emit)
    }

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        try emitEarlier(emit)
        let message = try parser.response(body.bytes)
        if isNative {
            try check(native: message, body)
            // The client gets what the relay does not understand, too.
            try? emitMessage(message, emit)
        } else {
            try emitMessage(message, emit)
        }
        end(emit)
        return isNative ? body : nil
    }

    private func check(native message: JSONValue, _ body: Body) throws(UpstreamError) {
        guard message["type"]?.text != "message" else { return }
        if message["type"]?.text == "error" { throw errorReader.error(ofEvent: body.bytes) }
        try checkError(message)
        throw errorReader.error(ofUnanswered: message, "the vendor's response is no message")
    }

    /// Emits the events for a complete message, in the order of a stream.
    private func emitMessage(_ message: JSONValue, _ emit: Emit) throws(UpstreamError) {
        try checkError(message)
        accumulator.read(model: message["model"])
        accumulator.read(message["usage"])
        guard let content = message["content"]?.elements else {
            throw errorReader.error(ofUnanswered: message, "the vendor's response has no content")
        }
        for block in content where block.kind == .object { accumulator.countUse(in: block) }
        try emitBlocks(content, emit)
        try end(message, emit)
        if isPaused {
            var said = ContentBlockRecorder(keeps: true)
            for block in content where block.kind == .object { said.add(whole: block) }
            recordPause(said.removeBody())
        }
        guard finish != nil else { throw .invalidResponse("the vendor's response has no end") }
    }

    /// Emits the content blocks that arrived before the vendor paused the response. Does nothing if they were already
    /// emitted.
    ///
    /// Values that the parser returned before become invalid.
    private func emitEarlier(_ emit: Emit) throws(UpstreamError) {
        if isEarlierReported { return }
        isEarlierReported = true
        for part in earlier {
            let root = try parser.value(ofResponse: part.content.bytes)
            try emitBlocks(root.elements ?? JSONElements(), emit)
        }
    }

    private func emitBlocks(_ content: JSONElements, _ emit: Emit) throws(UpstreamError) {
        for block in content where block.kind == .object {
            try open(block, 0, emit)
            close(0, emit)
        }
    }
}
