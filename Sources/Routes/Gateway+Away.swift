import Engine
import Shared
import Upstream

extension Gateway {
    /// What is longer than this is worked on by a thread for it, so that the loop serves others meanwhile.
    static let loopBytes = 262_144
    /// For what waits for the thread before it.
    private static let patienceNanoseconds: UInt64 = 30_000_000_000

    /// The result of `work` on `bytes` bytes, here or, where it takes long, on the thread for that. Nil: too much waits
    /// there already, or the client has left.
    func result<Value: Sendable>(ofBytes bytes: Int, _ work: @escaping @Sendable () -> Value) async -> Value? {
        guard bytes > Self.loopBytes else { return work() }
        return await worker.result(on: loop, withinNanoseconds: Self.patienceNanoseconds, of: work)
    }

    /// Has a call written; `bytes`: of its texts.
    func write(_ chat: any PreparedChat, ofBytes bytes: Int) async throws(APIError) {
        guard await result(ofBytes: bytes, { chat.write() }) != nil else { throw .tooMuchWork }
    }
}

extension UpstreamError {
    static var tooMuchWork: UpstreamError {
        if Task.isCancelled { return UpstreamError(.cancelled, cause: "cancelled") }
        return UpstreamError(.unavailable, cause: "too many large answers are being worked on")
    }
}
