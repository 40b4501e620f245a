package import Calls
package import Engine

/// A call that ends when its time is over, unless the limit was lifted before. It has a task of its own then, which can
/// be cancelled.
///
/// `@unchecked`: used on its loop only.
package final class TimedCall: TimerTarget, @unchecked Sendable {
    private let loop: EventLoop
    private var task: Task<Void, Never>?
    private var isLate = false
    private var failure: UpstreamError?
    private let isLifted: () -> Bool
    private let delay: () -> UInt64
    private var endsAt = LoopTime.distantFuture
    private lazy var timer = Timer(self)

    /// - Parameters:
    ///   - isLifted: the limit was lifted, as far as `lift` does not tell.
    ///   - delay: nanoseconds of the call that do not count, up to now.
    package init(
        by loop: EventLoop,
        unless isLifted: @escaping () -> Bool = { false },
        besides delay: @escaping () -> UInt64 = { 0 }
    ) {
        self.loop = loop
        self.isLifted = isLifted
        self.delay = delay
    }

    package func timerFired() {
        guard !isLifted() else { return }
        let end = endsAt + delay()
        guard loop.now >= end else { return loop.arm(timer, at: end) }
        isLate = true
        task?.cancel()
    }

    /// The call may take as long as it wants from here on.
    package func lift() { loop.remove(timer) }

    /// The same as `result`, of a call that keeps its result itself: a generic function of another module costs more.
    package func run(
        until end: LoopTime,
        orFailFor cause: @autoclosure () -> String,
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Void
    ) async throws(UpstreamError) {
        guard end < .distantFuture else { return try await ask() }
        let task = Task(executorPreference: loop) { [self] in
            do throws(UpstreamError) { try await ask() } catch { failure = error }
        }
        self.task = task
        endsAt = end
        loop.arm(timer, at: end)
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        self.task = nil
        loop.remove(timer)
        guard let failure else { return }
        if isLate, failure.kind == .cancelled { throw UpstreamError(.timedOut, cause: cause()) }
        throw failure
    }

    /// - Parameters:
    ///   - end: the time by which the call has to end; `distantFuture` if there is no limit.
    ///   - cause: of the failure if its time is over, for the log.
    package func result<Value: Sendable>(
        until end: LoopTime,
        orFailFor cause: @autoclosure () -> String,
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let outcome = Outcome<Value>()
        try await run(until: end, orFailFor: cause()) { () async throws(UpstreamError) in
            outcome.value = try await ask()
        }
        guard let value = outcome.value else { throw UpstreamError(.cancelled, cause: "cancelled") }
        return value
    }
}

/// `@unchecked`: used on one loop only.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
    var value: Value?
}
