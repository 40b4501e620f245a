package import Calls
package import Engine

extension WorkQueue {
    /// Data longer than this is worked on by the queue's thread, so that the loop serves others meanwhile.
    package static let loopBytes = 262_144
    /// The weight of counting tokens, which takes as long as other work on so many times the bytes.
    package static let countingWeight = 8

    /// Returns the result of `work` on `bytes` bytes, which is done here or, where it takes long, by the queue's thread; nil
    /// if too much waits there already, or the client has left.
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
    /// The relay itself has no time for a call. No candidate is at fault, and none could do better.
    package static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(ofBusyRelay: "too many large requests are in progress")
    }
}
