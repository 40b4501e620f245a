package import Calls
package import Engine

extension Worker {
    /// Data longer than this is worked on by a thread for it, so that the loop serves others meanwhile.
    package static let loopBytes = 262_144
    /// Counting tokens takes as long as other work on so many times the bytes.
    package static let countingWeight = 8
    /// For what waits for the thread before it.
    private static let patienceNanoseconds: UInt64 = 30_000_000_000

    /// The result of `work` on `bytes` bytes, here or, where it takes long, on the thread. Nil: too much waits there
    /// already, or the client has left.
    package func result<Value: Sendable>(
        ofBytes bytes: Int,
        on loop: EventLoop,
        _ work: @escaping @Sendable () -> Value
    ) async -> Value? {
        guard bytes > Self.loopBytes else { return work() }
        return await result(on: loop, withinNanoseconds: Self.patienceNanoseconds, of: work)
    }
}

extension UpstreamError {
    package static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(.unavailable, cause: "too many large answers are being worked on")
    }
}
