import Calls
import Engine
import Shared

/// Chunks of a chat completion as they come, or a whole answer in their place.
///
/// `@unchecked`: used on its loop only; the parser never across a suspension.
final class OpenAILikeStream: ChatAnswerStream, @unchecked Sendable {
    private let stream: any UpstreamStream
    private let reader: AnswerReader
    private var events = EventStreamParser()
    private var incoming = ByteBuffer()
    /// An answer in place of a stream.
    private var whole = ByteBuffer()
    private var lines = LineEnds()
    /// Events that came before anybody took them.
    private var early: [EarlyEvent] = []
    private var isBeginning = false
    /// No more bytes come.
    private var isOver = false
    private var isDone = false
    private var isStopped = false

    /// Of one event, or of an answer in place of a stream.
    static let eventLimitBytes = 4_194_304
    /// For the usage, after all else has come.
    private static let tailNanoseconds: UInt64 = 5_000_000_000

    init(_ stream: any UpstreamStream, _ reader: AnswerReader) {
        self.stream = stream
        self.reader = reader
    }

    var usage: Usage? { reader.usage }
    var credits: Int? { nil }

    /// Returns with the first event, so that a failure before it may still be mended elsewhere.
    func begin() async throws(UpstreamError) {
        isBeginning = true
        defer { isBeginning = false }
        while !isBegun, try await more(patienceNanoseconds: .max / 2) != .end {
            while !isBegun, try next({ early.append(EarlyEvent($0, $1)) }) {}
        }
    }

    private var isBegun: Bool { early.contains(where: \.isOfAnswer) }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if !early.isEmpty, !isBeginning { return .bytes }
        if isDone { return .end }
        let isTail = stream.head.isEventStream && reader.isFinished
        let arrival: Arrival
        do throws(TransportError) {
            let patience = isTail ? min(patienceNanoseconds, Self.tailNanoseconds) : patienceNanoseconds
            arrival = try await stream.more(patienceNanoseconds: patience)
        } catch {
            // All that was asked for has come.
            guard isTail, error.kind != .cancelled else { throw UpstreamError(error) }
            isOver = true
            return .bytes
        }
        switch arrival {
        case .silence:
            guard isTail else { return .silence }
            isOver = true
        case .bytes: try takeBytes()
        case .end:
            // The last event counts without an empty line behind it.
            if stream.head.isEventStream {
                incoming.append("\n\n")
                events.append(&incoming)
            }
            isOver = true
        }
        return .bytes
    }

    private func takeBytes() throws(UpstreamError) {
        stream.take(into: &incoming)
        if stream.head.isEventStream {
            lines.unify(&incoming)
            events.append(&incoming)
        } else {
            whole.append(incoming.bytes)
            incoming.removeAll()
        }
        guard max(events.waitingBytes, whole.count) <= Self.eventLimitBytes else {
            throw .brokenAnswer("one event of the vendor's is too large")
        }
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        if !early.isEmpty, !isBeginning {
            let events = early
            early = []
            for event in events { event.replay(take) }
            return true
        }
        if isDone { return false }
        guard stream.head.isEventStream else { return try nextOfWhole(take) }
        let hasEvent = try events.next { (name, data) throws(UpstreamError) in
            if isDone || data.isEmpty { return }
            if data.trimmed.equals("[DONE]") { return try end(take) }
            if name.equals("error") { throw FaultReader.failure(ofEvent: data, reader.parser) }
            try reader.take(chunk: data, take)
        }
        if hasEvent || !isOver { return hasEvent }
        guard reader.isWhole else {
            var error = UpstreamError.brokenAnswer("the vendor's stream was cut")
            error.isCut = reader.hasChoices
            throw error
        }
        try end(take)
        return true
    }

    private func nextOfWhole(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        guard isOver else { return false }
        try reader.take(whole: whole.bytes, take)
        whole.release()
        try end(take)
        return true
    }

    private func end(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) {
        guard reader.hasChoices else { throw .brokenAnswer("the vendor's stream has no choice") }
        isDone = true
        reader.end(take)
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        stream.stop(isComplete: isDone)
    }
}

/// A copy of an event, which lives on.
private struct EarlyEvent: Sendable {
    private enum Kind: Sendable {
        case text
        case reasoning
        case refusal
        case call(Int, id: Body)
        case arguments(Int)
        case finish(FinishReason)
        case native(Wire)
    }

    private let choice: Int
    private let kind: Kind
    private let bytes: Body

    init(_ choice: Int, _ event: AnswerEvent) {
        self.choice = choice
        let kind: Kind
        let bytes: UnsafeRawBufferPointer
        switch event {
        case .text(let text): (kind, bytes) = (.text, text)
        case .reasoning(let text): (kind, bytes) = (.reasoning, text)
        case .refusal(let text): (kind, bytes) = (.refusal, text)
        case .toolCall(let index, let id, let name): (kind, bytes) = (.call(index, id: Body(copying: id)), name)
        case .toolArguments(let index, let text): (kind, bytes) = (.arguments(index), text)
        case .native(let wire, let chunk): (kind, bytes) = (.native(wire), chunk)
        case .finish(let reason, _): (kind, bytes) = (.finish(reason), UnsafeRawBufferPointer(start: nil, count: 0))
        case .signature(_, let text), .sealedThought(let text), .note(let text): (kind, bytes) = (.reasoning, text)
        }
        self.kind = kind
        self.bytes = Body(copying: bytes)
    }

    /// More than a chunk that only begins.
    var isOfAnswer: Bool { if case .native = kind { false } else { true } }

    func replay(_ take: (Int, AnswerEvent) -> Void) {
        switch kind {
        case .text: take(choice, .text(bytes.bytes))
        case .reasoning: take(choice, .reasoning(bytes.bytes))
        case .refusal: take(choice, .refusal(bytes.bytes))
        case .call(let index, let id): take(choice, .toolCall(index: index, id: id.bytes, name: bytes.bytes))
        case .arguments(let index): take(choice, .toolArguments(index: index, bytes.bytes))
        case .finish(let reason): take(choice, .finish(reason, stop: nil))
        case .native(let wire): take(choice, .native(wire, bytes.bytes))
        }
    }
}

/// Makes each line of a stream end by one LF: some end by CR, or by CR LF.
private struct LineEnds {
    private var endsWithReturn = false

    mutating func unify(_ bytes: inout ByteBuffer) {
        guard endsWithReturn || bytes.bytes.first(13) != nil else { return }
        var out = ByteBuffer()
        _ = out.reserve(bytes.count)
        for byte in bytes.bytes {
            if byte != 10 || !endsWithReturn { out.append(byte == 13 ? 10 : byte) }
            endsWithReturn = byte == 13
        }
        swap(&bytes, &out)
    }
}
