import Engine
import Shared
import Upstream

/// A writer of the events of a streamed response of Anthropic's Messages API.
final class MessageEvents: BatchWriter, OnLoop, @unchecked Sendable {
    private enum Block: Equatable {
        case text
        case thinking
        /// A block for a tool call, with the call's index among the response's tool calls.
        case call(Int)
    }

    /// The kind of the open tool call's arguments: unknown, a JSON object, or other text.
    private enum Input {
        case notBegun
        case object
        /// Arguments that are not a JSON object, sent as text in the member `_raw`.
        case raw
    }

    let exchange: Exchange
    private let wanted: FormatterOptions
    var out = ByteBuffer()
    /// The prompt tokens with which the response begins.
    private var prompt: PromptCount
    private var hasBegun = false
    /// Whether the vendor's own events are forwarded unchanged and all other events are ignored.
    private var isNative = false
    /// Whether the vendor's own events have ended with their last one.
    private var hasStopped = false
    private var block: Block?
    /// Whether the open block of reasoning has a signature, or needs none.
    private var isSigned = false
    /// Whether a text or a tool call has begun.
    private var hasOutput = false
    private var hasCall = false
    /// Reasoning that follows output, held back until more output arrives: it must not be the last block of a turn
    /// without tool calls.
    private var late: EventLog?
    private var input = Input.notBegun
    /// The index of the open content block; between two blocks, the index of the next.
    private var index = 0
    private var finish = FinishReason.stop
    /// The index of the open content block of the vendor's own events; nil between two blocks.
    private var nativeBlock: Int?
    /// Whether the relay has cut the response off, so that it writes the last events itself.
    private var isCut = false
    private var stop: Body?
    private var refusal = ByteBuffer()

    init(_ wanted: FormatterOptions, _ exchange: Exchange) {
        self.wanted = wanted
        prompt = .known(wanted.promptTokens)
        self.exchange = exchange
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        if case .native(_, let event) = event { return pass(event) }
        if isNative { return }
        if hasOutput, event.isReasoning, (late?.bytes.count ?? 0) <= MemoryBudget.smallBytes {
            close()
            let log = late ?? EventLog()
            log.append(choice, event)
            late = log
        } else {
            add(event)
        }
    }

    private func add(_ event: ChatEvent) {
        switch event {
        case .text(let text, _): add(text)
        case .refusal(let text):
            if refusal.count + text.count <= MemoryBudget.smallBytes { refusal.append(text) }
            add(text)
        case .reasoning(let text):
            guard !text.isEmpty else { return }
            if block != .thinking { open(.thinking, #"{"type":"thinking","thinking":"","signature":""}"#) }
            delta(#"{"type":"thinking_delta","thinking":""#, text)
        case .signature(nil, let text):
            if !text.isEmpty {
                if block != .thinking { open(.thinking, #"{"type":"thinking","thinking":"","signature":""}"#) }
                delta(#"{"type":"signature_delta","signature":""#, text)
                isSigned = true
            }
            // Further reasoning begins a new block.
            close()
        case .encryptedReasoning(let data):
            open(.thinking)
            isSigned = true
            out.append(#"{"type":"redacted_thinking","data":"#, json: data, "}}\n\n")
            close()
        case .toolCall(let call, let id, let name): open(call, id, name: name)
        case .toolArguments(let call, let text) where block == .call(call): add(arguments: text)
        case .finish(let reason, let sequence):
            if reason == .toolCalls { addLate() }
            finish = reason
            stop = sequence.map { Body(copying: $0) }
        case .comment(let text):
            begin()
            out.append(comment: text)
        case .toolArguments, .signature, .message, .annotation, .native: break
        }
    }

    /// Forwards an event of the vendor unchanged.
    private func pass(_ event: UnsafeRawBufferPointer) {
        isNative = true
        beginHead()
        makeRoom()
        trackBlock(event)
        out.append(event)
    }

    /// Finds out whether the vendor's event begins or ends a content block, or the message.
    private func trackBlock(_ event: UnsafeRawBufferPointer) {
        if event.hasPrefix("event: message_stop") || event.hasPrefix(#"data: {"type":"message_stop"#) {
            hasStopped = true
        }
        guard event.hasPrefix("event: content_block_st") || event.hasPrefix(#"data: {"type":"content_block_st"#) else {
            return
        }
        let root = RawJSON(event.dataOfEvent)
        let isStart = root["type"]?.content.map { $0.hasPrefix("content_block_start") } ?? false
        nativeBlock = isStart ? root["index"].flatMap { Int($0.bytes.text) } ?? 0 : nil
    }

    func finishEarly(_ choice: Int) {
        write(choice, .finish(.length, stop: nil))
        finish = .length
        isCut = true
    }

    private func add(_ text: UnsafeRawBufferPointer) {
        guard !text.isEmpty else { return }
        if block != .text { open(.text, #"{"type":"text","text":""}"#) }
        delta(#"{"type":"text_delta","text":""#, text)
    }

    private func open(_ call: Int, _ id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) {
        open(.call(call))
        hasCall = true
        out.append(#"{"type":"tool_use","id":"#)
        out.append(toolUseID: id)
        out.append(#","name":"#, json: name, ",\"input\":{}}}\n\n")
    }

    private func add(arguments: UnsafeRawBufferPointer) {
        if input == .notBegun {
            guard let first = arguments.first(where: { $0 > 32 }) else { return }
            input = first == UInt8(ascii: "{") ? .object : .raw
            if input == .raw { add(json: #"{"_raw":""#) }
        }
        guard input == .raw else { return add(json: arguments) }
        var text = ByteBuffer()
        text.append(jsonContent: arguments)
        add(json: text.bytes)
    }

    private func add(json: UnsafeRawBufferPointer) { delta(#"{"type":"input_json_delta","partial_json":""#, json) }

    private func add(json: StaticString) {
        add(json: UnsafeRawBufferPointer(start: json.utf8Start, count: json.utf8CodeUnitCount))
    }

    private func open(_ new: Block, _ content: StaticString) {
        open(new)
        out.append(content)
        out.append("}\n\n")
    }

    private func open(_ new: Block) {
        begin()
        close()
        addLate()
        hasOutput = hasOutput || new != .thinking
        makeRoom()
        (block, isSigned) = (new, false)
        out.append("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":", decimal: index)
        out.append(#","content_block":"#)
    }

    private func addLate() {
        guard let log = late.take() else { return }
        while log.next({ add($1) }) {}
        close()
    }

    private func close() {
        guard block != nil else { return }
        if input == .raw { add(json: #""}"#) }
        if block == .thinking, !isSigned {
            delta(#"{"type":"signature_delta","signature":""#, UnsafeRawBufferPointer(ReasoningBlock.ownSignature))
        }
        (block, input) = (nil, .notBegun)
        out.append("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":", decimal: index)
        out.append("}\n\n")
        index += 1
    }

    private func delta(_ opening: StaticString, _ text: UnsafeRawBufferPointer) {
        makeRoom()
        out.append("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":", decimal: index)
        out.append(#","delta":"#)
        out.append(opening)
        out.append(jsonContent: text)
        out.append("\"}}\n\n")
    }

    func ping() {
        // The vendor's own first event may follow.
        if wanted.mayBeNative { beginHead() } else { begin() }
        out.append("event: ping\ndata: {\"type\":\"ping\"}\n\n")
    }

    func expect(_ prompt: PromptCount) { if wanted.promptTokens == 0 { self.prompt = prompt } }

    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        beginHead()
        makeRoom()
        out.append("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"")
        exchange.gateway.ids.appendID("msg_", into: &out)
        out.append(#"","type":"message","role":"assistant","model":"#, json: wanted.model)
        out.append(#","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":"#)
        out.append(decimal: prompt.tokens)
        out.append(",\"output_tokens\":0}}}\n\n")
    }

    func end(_ usage: Usage) async {
        if isNative {
            guard isCut else {
                // Some vendors leave the last event out.
                if !hasStopped { appendStop() }
                flush()
                return exchange.writer.end()
            }
            if let open = nativeBlock { (block, index) = (.text, open) }
        } else {
            begin()
        }
        close()
        out.append("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"")
        out.append(finish.stopReason(hasSequence: stop != nil, hasCall: hasCall))
        out.append(#"","stop_sequence":"#)
        if let stop { out.append(json: stop.bytes) } else { out.append("null") }
        if finish == .refusal { out.append(stopDetails: refusal.bytes) }
        out.append(#"},"usage":"#)
        usage.appendMessageJSON(to: &out)
        out.append("}\n\n")
        appendStop()
        sendEnd()
    }

    private func appendStop() { out.append("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") }
}
