import Calls
import Engine
import Shared

/// Reads a response of the Messages API, as a whole or event by event.
///
/// `@unchecked`: used on its loop only.
final class AnthropicReader: WireReader, @unchecked Sendable {
    /// A content block of the message that has not ended.
    private struct Block {
        enum Kind {
            case call(Int)
            case thinking
            case other
        }

        /// The vendor's index of the block.
        let number: Int64
        let kind: Kind
        /// The length of a tool call's arguments so far, in bytes.
        var bytes = 0
    }

    private let parser: JSONParser
    private let ids: RandomBytes
    private let names: SentNames
    /// The most tool calls that are emitted; further calls are left out.
    var mostCalls = Int.max
    /// Whether the request uses OpenAI's legacy functions, whose calls have no ids.
    private let isLegacy: Bool
    private var blocks: [Block] = []
    private var calls = 0
    private var signature = ByteBuffer()
    private var deltas = PlainDeltas()
    private var pairs = SplitPairs()
    private var finish: FinishReason?
    /// Whether the vendor paused the response. The pause is emitted at the end, unless the vendor continues the
    /// response.
    private var isPaused = false
    private(set) var pause: PausedAnswer?
    private var tally = MessageUsage()
    /// The paused parts of the response before the present one.
    private var earlier: [PausedAnswer]
    private var isEarlierTold = false
    /// The blocks of the present part of a streamed response.
    private var said: SaidBlocks
    private(set) var hasBegun = false

    private static let mostBlocks = 64
    private static let limitOfCalls = 128
    private static let argumentLimitBytes = 8_388_608
    private static let nameLimitBytes = 4_096
    private static let mostPauses = 5

    /// - Parameters:
    ///   - earlier: the paused parts of the same response, whose events are emitted again.
    ///   - mayGoOn: whether the vendor can be asked to continue a paused stream.
    init(
        _ parser: JSONParser,
        _ ids: RandomBytes,
        _ names: SentNames,
        isLegacy: Bool,
        after earlier: [PausedAnswer] = [],
        mayGoOn: Bool = false
    ) {
        self.parser = parser
        self.ids = ids
        self.names = names
        self.isLegacy = isLegacy
        self.earlier = earlier
        said = SaidBlocks(keeps: mayGoOn)
    }

    var usage: Usage? {
        guard let last = earlier.last else { return tally.usage }
        guard let before = last.usage, let usage = tally.usage else { return nil }
        return before + usage
    }

    var isFinished: Bool { finish != nil }
    var isWhole: Bool { finish != nil }

    // MARK: Events

    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool {
        if name.equals("error") { throw FaultReader(parser, Fault.anthropic, tellsFields: false).error(ofEvent: data) }
        if let text = deltas.text(data, named: name) {
            if finish == nil {
                said.add(text)
                tell(text: text, take)
            }
            return false
        }
        let root: JSONValue
        do throws(UpstreamError) {
            root = try parser.answer(data)
        } catch {
            guard let mended = pairs.mended(data) else { throw error }
            root = try parser.answer(mended)
        }
        switch root["type"]?.text {
        case "content_block_delta":
            if let delta = root["delta"], finish == nil { try read(delta: delta, of: root, take) }
        case "content_block_start":
            if let block = root["content_block"], finish == nil {
                said.begin(block, isAlone: blocks.isEmpty)
                try open(block, number(of: root), take)
            }
        case "content_block_stop": if finish == nil { close(number(of: root), take) }
        case "message_start":
            tally.take(root["message"]?["usage"])
            if !earlier.isEmpty { try tellEarlier(take) }
        case "message_delta":
            tally.take(root["usage"])
            if let delta = root["delta"], finish == nil { try end(delta, take) }
        case "message_stop": return finish != nil
        case "message": if finish == nil { try tell(root, take) }
        default: try checkError(root)
        }
        return false
    }

    func takeText(from events: inout EventStreamParser, _ take: Take) -> Bool {
        guard finish == nil, let text = deltas.text(from: &events) else { return false }
        hasBegun = true
        said.add(text)
        take(0, .text(text, isPlain: true))
        return true
    }

    private func number(of root: JSONValue) -> Int64 { root["index"]?.integer ?? 0 }

    private func checkError(_ root: JSONValue) throws(UpstreamError) {
        if root["type"]?.text == "error" || root.tellsError { throw FaultReader.error(in: root, Fault.anthropic) }
    }

    // MARK: Blocks

    private func open(_ block: JSONValue, _ number: Int64, _ take: Take) throws(UpstreamError) {
        close(number, take)
        guard blocks.count < Self.mostBlocks else { throw .brokenAnswer("the response has too many open blocks") }
        var kind = Block.Kind.other
        switch block["type"]?.text {
        case "text": tell(text: block["text"]?.text, take)
        case "thinking":
            kind = .thinking
            signature.removeAll()
            tell(thought: block["thinking"], take)
            if let signature = block["signature"]?.text { self.signature.append(signature) }
        case "redacted_thinking":
            if let sealed = block["data"]?.text, !sealed.isEmpty {
                hasBegun = true
                take(0, .sealedThought(sealed))
            }
        case "tool_use": if let index = try openCall(block, take) { kind = .call(index) }
        default: break
        }
        blocks.append(Block(number: number, kind: kind))
        guard case .call(let index) = kind, let input = block["input"], input.kind == .object else { return }
        // Most calls begin with an empty input, and send the arguments in chunks.
        let text = input.body
        if text.bytes.count > 2 { try tell(arguments: text.bytes, ofCall: index, at: blocks.count - 1, take) }
    }

    /// Begins a tool call. Returns its index; nil if the call is left out.
    private func openCall(_ block: JSONValue, _ take: Take) throws(UpstreamError) -> Int? {
        let id = block["id"]?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        guard let name = block["name"]?.text, max(name.count, id.count) <= Self.nameLimitBytes else {
            throw .brokenAnswer("a tool call has no valid name")
        }
        guard calls < mostCalls else { return nil }
        guard calls < Self.limitOfCalls else { throw .brokenAnswer("the response has too many tool calls") }
        let index = calls
        calls += 1
        hasBegun = true
        let made = isLegacy ? [] : id.isEmpty ? Array(ids.id("call_").utf8) : nil
        let original = names.original(of: name)
        func tell(_ id: UnsafeRawBufferPointer) {
            if let original {
                original.withUnsafeBytes { take(0, .toolCall(index: index, id: id, name: $0)) }
            } else {
                take(0, .toolCall(index: index, id: id, name: name))
            }
        }
        if let made { made.withUnsafeBytes { tell($0) } } else { tell(id) }
        return index
    }

    private func read(delta: JSONValue, of root: JSONValue, _ take: Take) throws(UpstreamError) {
        switch delta["type"]?.text {
        case "text_delta":
            said.add(delta["text"]?.text)
            tell(text: delta["text"]?.text, take)
        case "thinking_delta":
            said.add(delta["thinking"]?.text)
            tell(thought: delta["thinking"], take)
        case "input_json_delta":
            said.add(delta["partial_json"]?.text)
            let number = number(of: root)
            guard let piece = delta["partial_json"]?.text, !piece.isEmpty,
                let place = blocks.lastIndex(where: { $0.number == number }), case .call(let index) = blocks[place].kind
            else { return }
            try tell(arguments: piece, ofCall: index, at: place, take)
        case "signature_delta":
            guard let piece = delta["signature"]?.text else { return }
            guard signature.count + piece.count <= WireStream.eventLimitBytes else {
                throw .brokenAnswer("the signature of the reasoning is too long")
            }
            signature.append(piece)
            said.add(signature: piece)
        default: break
        }
    }

    private func close(_ number: Int64, _ take: Take) {
        guard let place = blocks.lastIndex(where: { $0.number == number }) else { return }
        let block = blocks.remove(at: place)
        switch block.kind {
        case .call(let index): if block.bytes == 0 { tellEmpty(index, take) }
        case .thinking: tellSignature(take)
        case .other: break
        }
    }

    // MARK: Emitting events

    private func tell(text: UnsafeRawBufferPointer?, _ take: Take) {
        guard let text, !text.isEmpty else { return }
        hasBegun = true
        take(0, .text(text))
    }

    private func tell(thought: JSONValue?, _ take: Take) {
        guard let text = thought?.text, !text.isEmpty else { return }
        hasBegun = true
        take(0, .reasoning(text))
    }

    private func tellSignature(_ take: Take) {
        guard !signature.isEmpty else { return }
        hasBegun = true
        take(0, .signature(call: nil, signature.bytes))
        signature.removeAll()
    }

    private func tell(
        arguments: UnsafeRawBufferPointer,
        ofCall index: Int,
        at place: Int,
        _ take: Take
    ) throws(UpstreamError) {
        guard index == calls - 1 else { throw .brokenAnswer("the response mixes its tool calls") }
        blocks[place].bytes += arguments.count
        guard blocks[place].bytes <= Self.argumentLimitBytes else {
            throw .brokenAnswer("the arguments of a tool call are too long")
        }
        take(0, .toolArguments(index: index, arguments))
    }

    /// Emits `{}` for a call without arguments, because arguments must be an object.
    private func tellEmpty(_ index: Int, _ take: Take) {
        guard index == calls - 1 else { return }
        let empty: StaticString = "{}"
        take(0, .toolArguments(index: index, UnsafeRawBufferPointer(start: empty.utf8Start, count: 2)))
    }

    // MARK: The end

    private func end(_ delta: JSONValue, _ take: Take) throws(UpstreamError) {
        guard let word = delta["stop_reason"]?.text, !word.isEmpty else { return }
        while let last = blocks.last { close(last.number, take) }
        guard let known = FinishReason(ofMessage: word) ?? (hasBegun ? .stop : nil) else {
            throw .brokenAnswer("the vendor ended the response with \(word[part: 0..<min(64, word.count)].text)")
        }
        if known == .refusal, let why = delta["stop_details"]?["explanation"]?.text, !why.isEmpty {
            take(0, .refusal(why))
        }
        // A pause leaves only calls of the vendor's own tools open.
        var reason = (known == .stop || known == .pause) && calls > 0 ? .toolCalls : known
        if reason == .toolCalls, mostCalls == 0 { reason = .stop }
        finish = reason
        hasBegun = true
        if reason == .pause {
            isPaused = true
            notePause(said.take())
            return
        }
        take(0, .finish(reason, stop: word.equals("stop_sequence") ? delta["stop_sequence"]?.text : nil))
    }

    func end(_ take: Take) { if isPaused { take(0, .finish(.pause, stop: nil)) } }

    /// - Parameter content: the content blocks of the part; nil if they are not known completely.
    private func notePause(_ content: Body?) {
        guard let content, earlier.count < Self.mostPauses else { return }
        pause = PausedAnswer(content, usage: usage)
    }

    func goOn() {
        if let pause { earlier.append(pause) }
        (pause, isPaused, finish) = (nil, false, nil)
        isEarlierTold = true
        tally = MessageUsage()
    }

    // MARK: Whole responses

    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        try tell(try parser.answer(body), take)
    }

    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer {
        var answer = GatheredAnswer()
        try tellEarlier { answer.take($1) }
        try tell(try parser.answer(body.bytes)) { answer.take($1) }
        end { answer.take($1) }
        return ChatAnswer([answer.finished()], usage: usage)
    }

    /// Emits the events that a stream of this message would have had.
    private func tell(_ message: JSONValue, _ take: Take) throws(UpstreamError) {
        try checkError(message)
        guard let content = message["content"]?.elements else {
            throw .brokenAnswer("the vendor's response has no content")
        }
        tally.take(message["usage"])
        try tell(blocks: content, take)
        try end(message, take)
        if isPaused {
            var said = SaidBlocks(keeps: true)
            for block in content where block.kind == .object { said.add(whole: block) }
            notePause(said.take())
        }
        guard finish != nil else { throw .brokenAnswer("the vendor's response has no end") }
    }

    /// Emits the events of the earlier parts, once. This reuses the parser, so the present part must not have been
    /// parsed yet, or must not be needed any more.
    private func tellEarlier(_ take: Take) throws(UpstreamError) {
        if isEarlierTold { return }
        isEarlierTold = true
        for part in earlier {
            let root = try parser.value(ofAnswer: part.content.bytes)
            try tell(blocks: root.elements ?? JSONElements(), take)
        }
    }

    private func tell(blocks content: JSONElements, _ take: Take) throws(UpstreamError) {
        for block in content where block.kind == .object {
            try open(block, 0, take)
            close(0, take)
        }
    }
}

extension FinishReason {
    /// Returns the finish reason for a `stop_reason`; nil if the reason is unknown.
    fileprivate init?(ofMessage word: UnsafeRawBufferPointer) {
        switch word {
        case "end_turn", "stop_sequence": self = .stop
        case "max_tokens", "model_context_window_exceeded": self = .length
        case "tool_use": self = .toolCalls
        case "refusal": self = .refusal
        case "pause_turn": self = .pause
        default: return nil
        }
    }
}
