package import Engine
package import Shared

/// A response that is complete, as a stream of the events in its log.
///
/// `@unchecked`: used on its request's loop only, once it was made.
package final class LoggedStream: ChatStream, PartialResponse, @unchecked Sendable {
    package let usage: Usage?
    package let credits: Int?
    package let original: Body?
    private let log: EventLog
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
        self.log = log
        self.usage = usage
        self.credits = credits
        self.original = original
        self.reservation = reservation
    }

    /// Lets other tasks run after each slice of a long response.
    package func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if log.isEmpty { return .end }
        if log.emittedBytes > step {
            step = log.emittedBytes
            await Task.yield()
        }
        return .bytes
    }

    package func next(_ emit: (Int, ChatEvent) -> Void) -> Bool {
        var hasEmitted = false
        while log.emittedBytes - step < EventCursor.sliceBytes, log.next(emit) { hasEmitted = true }
        return hasEmitted
    }

    package func stop() {
        log.removeAll()
        reservation = nil
    }
}
