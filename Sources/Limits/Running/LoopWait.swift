package import Engine

/// The wait of a request for the ledger's decision, limited by a timer.
///
/// `@unchecked`: only the loop's thread uses mutable state.
package final class LoopWait: DecisionWaiter, TimerTarget, @unchecked Sendable {
    let loop: EventLoop
    /// The request that waits; nil before that.
    var request: Pending?
    /// The charges of the limits that decided about the request; nil if it has not waited.
    package internal(set) var charges: [LimitCharge]?
    private lazy var timer = Timer(self)
    private var continuation: UnsafeContinuation<Decision, Never>?
    private var ended: Decision?
    private var expire: (() -> LoopTime?)?

    package init(_ loop: EventLoop) { self.loop = loop }

    /// Waits for the ledger's decision about the request and returns it. Cancelling the task does not end the wait:
    /// the ledger decides about a request whose client has left.
    /// - Parameter expire: called at the deadline. Returns the next deadline; nil if the ledger has decided.
    func decision(at deadline: LoopTime, expire: @escaping () -> LoopTime?) async -> Decision {
        loop.checkIsolated()
        self.expire = expire
        if ended == nil { arm(deadline) }
        return await withUnsafeContinuation { waiting in
            if let ended { waiting.resume(returning: ended) } else { continuation = waiting }
        }
    }

    private func arm(_ deadline: LoopTime) { loop.arm(timer, at: deadline) }

    package func timerFired() {
        if let again = expire?(), ended == nil { arm(again) }
    }

    func decided(_ decision: Decision) {
        if loop.isCurrent { end(decision) } else { loop.call { self.end(decision) } }
    }

    func retimed() { loop.call { self.timerFired() } }

    private func end(_ decision: Decision) {
        loop.remove(timer)
        ended = decision
        expire = nil
        continuation?.resume(returning: decision)
        continuation = nil
    }
}
