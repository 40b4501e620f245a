package import Calls
package import Engine

extension WorkQueue {
    /// The most bytes that are processed on the event loop. Longer data goes to the queue's thread, so that the loop
    /// can serve other requests.
    package static let loopBytes = 262_144
    /// The weight of counting tokens: it takes as long as other work on this many times the bytes.
    package static let countingWeight = 8

    /// Runs `work` and returns its result. Long work runs on the queue's thread; nil if too much work waits there, or
    /// if the client disconnected.
    package func result<Value: Sendable>(
        ofBytes bytes: Int,
        weight: Int = 1,
        on loop: EventLoop,
        _ work: @escaping @Sendable () -> Value
    ) async -> Value? {
        guard bytes > Self.loopBytes / weight else { return work() }
        return await enqueuedResult(ofBytes: bytes, on: loop, of: work)
    }
}

extension UpstreamError {
    /// The error for a relay that has no time for a call. Neither a retry nor another candidate would help.
    package static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(ofBusyRelay: "too many large requests are in progress")
    }
}
