import Calls
import Engine
import Shared

/// The response to a chat call to 1min.ai: a stream of events, or one JSON record.
///
/// `@unchecked`: used on its event loop only, and `parser` is never used across a suspension.
final class OneMinStream: ChatStream, @unchecked Sendable {
    /// A function that makes the upstream call again after a failure. It throws the failure if a new call would not
    /// help.
    typealias Reopening = (UpstreamError) async throws(UpstreamError) -> any UpstreamStream

    private var stream: any UpstreamStream
    private let parser: JSONParser
    /// The function that makes the upstream call again; nil if an event was already emitted or the call was already
    /// repeated.
    private var reopen: Reopening?
    /// The failure of the first upstream call, until `more` makes the call again; nil if it has not failed.
    private var failure: UpstreamError?
    private var events = EventStreamParser()
    /// The JSON record that the vendor sends in place of a stream; empty for a stream.
    private var whole = ByteBuffer()
    private var repeats = RepeatGuard()
    private var progress: ProgressFilter?
    private var split = ByteBuffer()
    private var isEventStream: Bool
    private var hasRecord = false
    private var isDone = false
    private var isOver = false
    private var hasFinished = false
    private var isStopped = false
    private var finishReason = FinishReason.stop
    private let bounds: UsageBounds
    private(set) var usage: Usage?
    private(set) var credits: Int?

    /// The bytes before the text in a usual `content` event; `closing` contains the bytes after the text.
    private static let opening: StaticString = "event: content\ndata: {\"content\":\""
    private static let closing: StaticString = "\"}\n\n"

    /// The largest event or JSON record that is accepted, in bytes.
    static let eventLimitBytes = 4_194_304

    init(
        _ stream: any UpstreamStream,
        _ parser: JSONParser,
        bounds: UsageBounds = UsageBounds(),
        searchesWeb: Bool,
        reopening reopen: Reopening? = nil
    ) {
        self.stream = stream
        self.reopen = reopen
        self.parser = parser
        self.bounds = bounds
        isEventStream = stream.head.isEventStream
        progress = searchesWeb ? ProgressFilter() : nil
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if let failure { try await repeatCall(after: failure) }
        if isDone { return .end }
        let arrival: Arrival
        do throws(TransportError) {
            arrival = try await stream.more(patienceNanoseconds: patienceNanoseconds)
        } catch {
            throw UpstreamError(error)
        }
        switch arrival {
        case .silence: return .silence
        case .bytes:
            var received = ByteBuffer()
            stream.receive(into: &received)
            if isEventStream { events.append(&received) } else { whole.append(received.bytes) }
            guard max(events.waitingBytes, whole.count) <= Self.eventLimitBytes else {
                throw UpstreamError(.failed, cause: "an event of the vendor is too large")
            }
            return .bytes
        case .end:
            isOver = true
            if isEventStream, !hasRecord {
                var error = UpstreamError(.failed, cause: "the vendor's stream was cut")
                error.isCut = true
                throw error
            }
            if isEventStream { isDone = true }
            return .bytes
        }
    }

    private func repeatCall(after failure: UpstreamError) async throws(UpstreamError) {
        self.failure = nil
        guard let reopen = reopen.take() else { throw failure }
        stream.stop(isComplete: isDone)
        isStopped = true
        stream = try await reopen(failure)
        isStopped = false
        isEventStream = stream.head.isEventStream
        events = EventStreamParser()
        repeats = RepeatGuard()
        if progress != nil { progress = ProgressFilter() }
        whole.removeAll()
        split.removeAll()
        (hasRecord, isDone, isOver, hasFinished) = (false, false, false, false)
        (usage, credits, finishReason) = (nil, nil, .stop)
    }

    /// Reads the vendor's next event and emits its content. Returns false if no complete event has arrived. A failure
    /// before the first emitted event can be stored instead of thrown; `more` then makes the upstream call again.
    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        reopen == nil ? try nextEvent(emit) : try nextOfFirst(emit)
    }

    private func nextOfFirst(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        if failure != nil { return false }
        do throws(UpstreamError) {
            return try nextEvent { choice, event in
                reopen = nil
                emit(choice, event)
            }
        } catch {
            guard reopen != nil else { throw error }
            failure = error
            return false
        }
    }

    @inline(__always)
    private func nextEvent(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard isEventStream else { return try nextOfRecord(emit) }
        if isOver, isDone {
            // The stream may end after the record, without `done`.
            if !hasFinished { finish(emit) }
            return false
        }
        if !isDone,
            let text = events.text(between: UnsafeRawBufferPointer(Self.opening), UnsafeRawBufferPointer(Self.closing))
        {
            pass(text, isPlain: true, emit)
            return true
        }
        guard let event = events.next() else { return false }
        if isDone { return true }
        switch EventName(event.name) {
        case .content: try content(event.data, emit)
        case .result: try result(event.data, emit)
        case .done: try end(emit)
        case .error: throw UpstreamError(ofEvent: event.data, parser, of: .chat)
        case .message: if event.data.equals("[DONE]") { try end(emit) }
        case .other: break
        }
        return true
    }

    private func nextOfRecord(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard isOver, !isDone else { return false }
        isDone = true
        let record = try OneMinRecord(whole.bytes, parser)
        report(record)
        emitText(record.text, emit)
        finish(emit)
        return true
    }

    private func content(_ data: UnsafeRawBufferPointer, _ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) {
        if let root = try? parser.parse(data), root.kind == .object {
            guard let text = root["content"]?.text ?? root["delta"]?["content"]?.text else { return }
            pass(text, emit)
        } else if data.first == UInt8(ascii: "{") {
            throw UpstreamError(.failed, cause: "a content event of the vendor is not JSON")
        } else {
            // Plain text may be split within a character.
            split.append(data)
            let whole = split.bytes.count - split.bytes.lengthOfCutCharacter
            pass(split.bytes[part: 0..<whole], emit)
            split.removeFirst(whole)
        }
    }

    private func pass(_ text: UnsafeRawBufferPointer, isPlain: Bool = false, _ emit: (Int, ChatEvent) -> Void) {
        guard !text.isEmpty else { return }
        if repeats.isHolding, let released = repeats.releaseHeld() { emitText(released.bytes, emit) }
        if !repeats.holds(text) { emitText(text, isPlain: isPlain, emit) }
    }

    private func result(_ data: UnsafeRawBufferPointer, _ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) {
        let record = try OneMinRecord(data, parser)
        hasRecord = true
        report(record)
        // The record may have no text although text was streamed.
        if record.usage?.completionTokens == 0, !repeats.isEmpty { usage = nil }
        if repeats.isEmpty {
            emitText(record.text, emit)
        } else if let genuine = repeats.releaseHeld(provenBy: record.text) {
            emitText(genuine.bytes, emit)
        }
    }

    private func report(_ record: OneMinRecord) {
        (usage, credits, finishReason) = (bounds.checked(record.usage), record.credits, record.finish)
    }

    /// Ends the response after the vendor's last event. Throws if the vendor sent no text and no final record.
    private func end(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) {
        guard hasRecord || !repeats.isEmpty else {
            throw UpstreamError(.failed, cause: "the vendor's stream has neither text nor a record")
        }
        finish(emit)
    }

    private func finish(_ emit: (Int, ChatEvent) -> Void) {
        isDone = true
        hasFinished = true
        flush(emit)
        emit(0, .finish(finishReason, stop: nil))
    }

    private func emitText(_ text: UnsafeRawBufferPointer, isPlain: Bool = false, _ emit: (Int, ChatEvent) -> Void) {
        if text.isEmpty { return }
        if progress == nil {
            emit(0, .text(text, isPlain: isPlain))
        } else {
            progress?.consume(text) { emit(0, .text($0)) }
        }
    }

    private func flush(_ emit: (Int, ChatEvent) -> Void) { progress?.finish { emit(0, .text($0)) } }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        stream.stop(isComplete: isDone)
    }
}

extension UnsafeRawBufferPointer {
    /// The length of the incomplete UTF-8 character at the end, from 0 to 3 bytes.
    fileprivate var lengthOfCutCharacter: Int {
        for length in 1...3 where length <= count {
            let byte = self[count - length]
            if byte & 0xc0 == 0x80 { continue }
            let needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return needed > length ? length : 0
        }
        return 0
    }
}

/// The event names of 1min.ai's streams.
private enum EventName {
    case message, content, result, done, error, other

    init(_ text: UnsafeRawBufferPointer) {
        self =
            switch text.count {
            case 7 where text.equals("content"): .content
            case 6 where text.equals("result"): .result
            case 4 where text.equals("done"): .done
            case 5 where text.equals("error"): .error
            case 0: .message
            case 7 where text.equals("message"): .message
            default: .other
            }
    }
}
