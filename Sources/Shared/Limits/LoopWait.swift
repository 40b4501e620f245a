import Engine

/// A task's wait on its loop for a decision that counter threads make; ends by its own timer at the latest.
///
/// `@unchecked`: only the loop's thread touches what changes.
final class LoopWait: DecisionWaiter, TimerTarget, @unchecked Sendable {
    private let loop: EventLoop
    private lazy var timer = Timer(self)
    private var continuation: UnsafeContinuation<Decision, Never>?
    private var ended: Decision?
    private var expire: (() -> Void)?

    init(_ loop: EventLoop) { self.loop = loop }

    /// `expire` makes the ledger decide. Cancelling the task does not end the wait, which is short.
    func decision(afterAtMost microseconds: Int, expire: @escaping () -> Void) async -> Decision {
        loop.checkIsolated()
        self.expire = expire
        loop.arm(timer, at: EventLoop.monotonicNanoseconds() + UInt64(microseconds) * 1_000)
        return await withUnsafeContinuation { waiting in
            if let ended { waiting.resume(returning: ended) } else { continuation = waiting }
        }
    }

    func timerFired() { expire?() }

    func decided(_ decision: Decision) { loop.call { self.end(decision) } }

    private func end(_ decision: Decision) {
        loop.remove(timer)
        ended = decision
        expire = nil
        continuation?.resume(returning: decision)
        continuation = nil
    }
}
