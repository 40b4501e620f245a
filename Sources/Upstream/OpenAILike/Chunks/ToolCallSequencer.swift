import Engine

/// A sequencer for the tool calls of one choice. It emits them one after the other, although their chunks can arrive
/// mixed.
struct ToolCallSequencer {
    private struct WaitingCall {
        let index: Int
        let id: [UInt8]
        let name: [UInt8]
        var arguments: [UInt8] = []
        /// The events other than tool calls that arrived after this tool call began; nil if none did.
        var later: EventLog?
    }

    /// The index of the tool call that was emitted last; nil if none was.
    private var open: Int?
    private var scan = ObjectScan()
    /// Whether the arguments of the last emitted tool call are complete. True before the first tool call.
    private(set) var isWhole = true
    /// The events other than tool calls that wait until the last emitted tool call is complete; nil if there are none.
    private var later: EventLog?
    private var waiting: [WaitingCall] = []
    private var waitingBytes = 0

    /// The largest total size of the events and arguments that wait for earlier tool calls, in bytes.
    private static let limitBytes = 8_388_608
    /// The memory that is counted for a waiting event besides its text, in bytes.
    private static let eventBytes = 128

    mutating func begin(_ index: Int, id: [UInt8], name: [UInt8], _ emit: (ChatEvent) -> Void) {
        waiting.append(WaitingCall(index: index, id: id, name: name))
        emitWhole(emit)
    }

    mutating func add(_ arguments: [UInt8], to index: Int, _ emit: (ChatEvent) -> Void) throws(UpstreamError) {
        if index == open {
            emitArguments(arguments, emit)
            emitWhole(emit)
        } else if let waitingIndex = waiting.firstIndex(where: { $0.index == index }) {
            try hold(arguments.count)
            waiting[waitingIndex].arguments += arguments
        }
        // After the complete arguments of an earlier call only white space can follow.
    }

    /// Emits an event other than a tool call, or holds it back until all earlier tool calls are complete.
    mutating func emitEvent(_ event: ChatEvent, _ emit: (ChatEvent) -> Void) throws(UpstreamError) {
        if isWhole { return emit(event) }
        let log = (waiting.last.map { $0.later } ?? later) ?? EventLog()
        let before = log.bytes.count
        log.append(0, event)
        try hold(log.bytes.count - before + Self.eventBytes)
        if let last = waiting.indices.last { waiting[last].later = log } else { later = log }
    }

    private mutating func hold(_ bytes: Int) throws(UpstreamError) {
        waitingBytes += bytes
        guard waitingBytes <= Self.limitBytes else {
            throw .invalidResponse("the arguments of the tool calls are too long")
        }
    }

    /// Emits all waiting events, because the response has ended.
    mutating func end(_ emit: (ChatEvent) -> Void) {
        emitLater(emit)
        while !waiting.isEmpty {
            emitNext(emit)
            emitLater(emit)
        }
    }

    private mutating func emitWhole(_ emit: (ChatEvent) -> Void) {
        while isWhole {
            emitLater(emit)
            guard !waiting.isEmpty else {
                waitingBytes = 0
                return
            }
            emitNext(emit)
        }
    }

    private mutating func emitLater(_ emit: (ChatEvent) -> Void) {
        guard let log = later.take() else { return }
        while log.next({ emit($1) }) {}
    }

    private mutating func emitNext(_ emit: (ChatEvent) -> Void) {
        let call = waiting.removeFirst()
        (open, scan, isWhole, later) = (call.index, ObjectScan(), false, call.later)
        call.id.withUnsafeBytes { id in
            call.name.withUnsafeBytes { emit(.toolCall(index: call.index, id: id, name: $0)) }
        }
        emitArguments(call.arguments, emit)
    }

    private mutating func emitArguments(_ arguments: [UInt8], _ emit: (ChatEvent) -> Void) {
        guard let open, !arguments.isEmpty else { return }
        for byte in arguments where !isWhole {
            isWhole = scan.isEnd(byte)
        }
        arguments.withUnsafeBytes { emit(.toolArguments(index: open, $0)) }
    }
}

/// A scanner that finds the end of a JSON object. It does not check the syntax.
private struct ObjectScan {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isOther = false

    mutating func isEnd(_ byte: UInt8) -> Bool {
        if isOther { return false }
        if isInString {
            isInString = isEscaped || byte != UInt8(ascii: "\"")
            isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            return false
        }
        switch byte {
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}"): depth -= 1
        case UInt8(ascii: "\""): isInString = true
        default: break
        }
        isOther = depth == 0 && byte > 32 && byte != UInt8(ascii: "}")
        return depth == 0 && byte == UInt8(ascii: "}")
    }
}
