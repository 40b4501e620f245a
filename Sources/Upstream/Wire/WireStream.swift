import Engine
import Shared

/// The event stream of a vendor's response, or a complete response in place of a stream.
///
/// `@unchecked`: used on its event loop only. The reader's parser is never used across a suspension.
final class WireStream: ChatStream, ModelReport, @unchecked Sendable {
    private var stream: any UpstreamStream
    private let reader: any WireReader
    /// The header lines with secrets. Error messages that contain such a secret are removed; nil to check no messages.
    private let headers: KeyHeaders?
    private var bounds: UsageBounds
    /// The route that chose the location of the call; nil if the vendor has one location.
    var route: (any WireRoute)?
    private var isEventStream: Bool
    /// Requests the rest of a response that the vendor paused, for `goOn(with:)`; nil if the relay cannot request it.
    var goOn: ((PausedResponse) async throws(UpstreamError) -> Void)?
    private var pause: PausedResponse?
    private var events = EventStreamParser()
    private var incoming = ByteBuffer()
    /// The bytes of a complete response that the vendor sends in place of a stream.
    private var whole = ByteBuffer()
    private var lines = LineEndConverter()
    private var pairs = SurrogatePairJoiner()
    /// The events that arrived during `begin()`; nil once they have been emitted.
    private var early: EventLog?
    /// Whether no more bytes are read from the vendor's response.
    private var isOver = false
    private var isDone = false
    private var isStopped = false
    /// The time until which the stream waits for the usage; nil as long as output can arrive.
    private var tailEnds: LoopTime?
    /// Whether the connection to the vendor was stopped.
    private var isClosed = false
    /// The memory that is reserved for events over 64 KB; nil if there were none.
    private var reservation: MemoryReservation?

    /// The largest event or complete response that is accepted from most vendors, in bytes.
    static let eventLimitBytes = 4_194_304
    /// The time in nanoseconds for which the stream waits for the usage after all output has arrived.
    private let tailNanoseconds: UInt64

    init(
        _ stream: any UpstreamStream,
        _ reader: any WireReader,
        headers: KeyHeaders? = nil,
        bounds: UsageBounds = UsageBounds(),
        tailNanoseconds: UInt64 = 5_000_000_000
    ) {
        self.stream = stream
        self.reader = reader
        self.headers = headers
        self.bounds = bounds
        self.tailNanoseconds = tailNanoseconds
        isEventStream = stream.head.isEventStream
    }

    var usage: Usage? { bounds.checked(reader.usage, by: reader.models) }
    var models: ModelUsages? { bounds.checked(reader.models, of: reader.usage) }
    var credits: Int? { reader.credits }
    /// A chat of the wire opens its stream at the first event: see `begin()`.
    var isBegun: Bool { true }
    var budget: MemoryBudget? { stream.budget }

    /// Waits for the first event with output, and keeps the events that arrive until then.
    func begin() async throws(UpstreamError) {
        do throws(UpstreamError) { early = try await beginning().events } catch { throw error.after(usage) }
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if early != nil { return .bytes }
        if isDone {
            guard let pause else { return .end }
            try await goOn(after: pause)
            return .bytes
        }
        let isTail = isEventStream && reader.isFinished
        let patience = isTail ? min(patienceNanoseconds, tailLeft()) : patienceNanoseconds
        if patience == 0 {
            isOver = true
            return .bytes
        }
        let arrival: Arrival
        do throws(TransportError) {
            arrival = try await stream.more(patienceNanoseconds: patience)
        } catch {
            // All output that was requested has arrived.
            guard isTail, error.kind != .cancelled else { throw UpstreamError(error) }
            isOver = true
            return .bytes
        }
        switch arrival {
        case .silence:
            guard isTail else { return .silence }
            isOver = true
        case .bytes: try receiveBytes()
        case .end:
            if isEventStream, !reader.isStrict {
                incoming.append("\n\n")
                events.append(&incoming)
            }
            isOver = true
        }
        return .bytes
    }

    /// Returns for how many nanoseconds the stream still waits for the usage. The first call begins this wait.
    private func tailLeft() -> UInt64 {
        let now = LoopTime.current()
        let ends = tailEnds ?? now + tailNanoseconds
        tailEnds = ends
        return ends.nanoseconds(since: now)
    }

    private func receiveBytes() throws(UpstreamError) {
        stream.receive(into: &incoming)
        if !isEventStream, whole.isEmpty, incoming.bytes.beginsEvents { isEventStream = true }
        if isEventStream {
            lines.unify(&incoming)
            let bytes = events.waitingBytes + incoming.count
            if bytes > MemoryBudget.smallBytes { try makeRoom(for: bytes, within: reader.eventLimitBytes) }
            events.append(&incoming)
        } else {
            try makeRoom(for: whole.count + incoming.count, within: Self.eventLimitBytes)
            whole.append(incoming.bytes)
            incoming.removeAll()
        }
    }

    /// Reserves memory for a large event or complete response, until the stream ends.
    @inline(never)  // Rarely called.
    private func makeRoom(for bytes: Int, within limitBytes: Int) throws(UpstreamError) {
        guard bytes <= limitBytes else { throw Self.tooLarge }
        guard bytes > MemoryBudget.smallBytes else { return }
        // The relay copies an event several times, and keeps the copies' room for further events.
        guard budget?.covers(3 * bytes, &reservation) ?? true,
            isEventStream ? events.canReserve(incoming.count) : whole.canReserve(incoming.count)
        else { throw UpstreamError(TransportError(.overloaded)) }
    }

    private static var tooLarge: UpstreamError { .invalidResponse("an event of the vendor is too large") }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        if let log = early.take() {
            while log.next(emit) {}
            return true
        }
        if isDone { return false }
        guard isEventStream else { return try nextOfWhole(emit) }
        if reader.consumeText(from: &events, emit) { return true }
        if let event = events.next() {
            if reader.counts(event), try isEnd(event, emit) { try end(emit) }
            return true
        }
        guard isOver else { return false }
        guard reader.isWhole else {
            var error = UpstreamError.invalidResponse("the vendor's stream was cut")
            error.isCut = reader.hasBegun
            throw error
        }
        try end(emit)
        return true
    }

    private func isEnd(
        _ event: EventStreamParser.Event,
        _ emit: (Int, ChatEvent) -> Void
    ) throws(UpstreamError) -> Bool {
        do throws(UpstreamError) {
            return try reader.consume(event, joining: &pairs, emit)
        } catch {
            // All output that was requested has arrived.
            guard reader.hasBegun, reader.isFinished else { throw headers?.hiding(error, route?.token) ?? error }
            return true
        }
    }

    private func nextOfWhole(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard isOver else { return false }
        do throws(UpstreamError) {
            try reader.consume(whole: whole.bytes, emit)
        } catch {
            guard let data = pairs.rewritten(whole.bytes, isWhole: true) else { throw error }
            try reader.consume(whole: data, emit)
        }
        whole.release()
        try end(emit)
        return true
    }

    private func end(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) {
        do throws(UpstreamError) {
            guard reader.hasBegun else { throw .invalidResponse("the vendor's stream has no choice") }
            if goOn != nil { pause = reader.pause }
            if pause == nil { try reader.end(emit) }
        } catch {
            throw error.after(usage)
        }
        isDone = true
    }

    @inline(never)  // Rarely called; its variables would be a part of each waiting stream.
    private func goOn(after pause: PausedResponse) async throws(UpstreamError) {
        guard let goOn else { return }
        self.pause = nil
        bounds.addCall()
        close()
        do throws(UpstreamError) {
            try await goOn(pause)
        } catch {
            var error = error
            error.isCut = true
            throw error
        }
    }

    /// Reads the rest of the response from another stream of the vendor.
    func goOn(with rest: any UpstreamStream) {
        stream = rest
        isClosed = false
        guard !isStopped else { return close() }
        reader.goOn()
        isEventStream = stream.head.isEventStream
        events = EventStreamParser()
        lines = LineEndConverter()
        incoming.removeAll()
        (isOver, isDone, tailEnds) = (false, false, nil)
    }

    func stop() {
        isStopped = true
        close()
    }

    private func close() {
        guard !isClosed else { return }
        isClosed = true
        stream.stop(isComplete: isDone)
    }
}
