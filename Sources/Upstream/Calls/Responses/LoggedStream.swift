package import Engine
package import Shared

/// A response that is complete, as a stream of the events in its log.
///
/// `@unchecked`: used on its request's loop only, once it was made.
package final class LoggedStream: ChatStream, PartialResponse, @unchecked Sendable {
    package var usage: Usage?
    package let credits: Int?
    package let original: Body?
    private lazy var log = EventLog()
    /// The response whose events are not in the log yet, because nobody has asked for them; nil if they are.
    private var response: ChatResponse?
    /// The memory that is reserved for the log; nil if it is not counted.
    private var reservation: MemoryReservation?
    /// The number of the log's bytes that were emitted before the last call of `more`.
    private var step = 0

    package init(
        _ log: EventLog,
        usage: Usage?,
        credits: Int? = nil,
        original: Body? = nil,
        reservation: MemoryReservation? = nil
    ) {
        self.usage = usage
        self.credits = credits
        self.original = original
        self.reservation = reservation
        self.log = log
    }

    package init(_ response: ChatResponse) {
        usage = response.usage
        credits = response.credits
        original = response.original
        self.response = response
    }

    package func gathered() async throws(UpstreamError) -> ChatResponse {
        if let response { response } else { try await gatheredEvents() }
    }

    private func logResponse() { response.take()?.emit(log.append) }

    /// Lets other tasks run after each slice of a long response.
    package func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        logResponse()
        if log.isEmpty { return .end }
        if log.emittedBytes > step {
            step = log.emittedBytes
            await Task.yield()
        }
        return .bytes
    }

    package func next(_ emit: (Int, ChatEvent) -> Void) -> Bool {
        logResponse()
        var hasEmitted = false
        while log.emittedBytes - step < EventCursor.sliceBytes, log.next(emit) { hasEmitted = true }
        return hasEmitted
    }

    package func stop() {
        if response.take() == nil { log.removeAll() }
        reservation = nil
    }
}
