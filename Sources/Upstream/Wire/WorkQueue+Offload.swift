package import Engine

extension WorkQueue {
    /// The largest data, in bytes, that is processed on the event loop rather than the worker thread.
    package static let loopBytes = 262_144
    /// The weight of counting tokens, which takes eight times as long per byte as usual work.
    package static let countingWeight = 8

    /// Runs `work` and returns its result. Long work runs on the worker thread.
    /// - Parameter weight: the work's time per byte, relative to usual work.
    /// - Returns: nil if the worker thread is too busy or the client has disconnected.
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
    /// The error for a call that the relay is too busy to process, or that was cancelled meanwhile.
    package static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(ofBusyRelay: "too many large requests are in progress")
    }
}
