package import Calls
package import Engine

extension WorkQueue {
    /// The largest size of data, in bytes, that the event loop itself processes. Larger data goes to the worker thread,
    /// so that the event loop can serve other requests meanwhile.
    package static let loopBytes = 262_144
    /// The weight of counting tokens: counting takes about as long as other work on eight times as many bytes.
    package static let countingWeight = 8

    /// Runs `work` and returns its result. Short work runs at once, long work on the worker thread.
    ///
    /// - Parameters:
    ///   - bytes: the size of the data to process.
    ///   - weight: how many times longer than usual the work takes per byte.
    /// - Returns: the result; nil if the worker thread is too busy to return it in time, or if the client has
    ///   disconnected.
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
    /// The error for a call that the relay is too busy to process. Neither a retry nor another candidate would help.
    package static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(ofBusyRelay: "too many large requests are in progress")
    }
}
