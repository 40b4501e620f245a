package import Engine

/// An asynchronous task, such as an upstream call, that is cancelled at its time limit. The limit can be removed
/// before.
package final class TimedCall: TimerTarget, OnLoop, @unchecked Sendable {
    private let loop: EventLoop
    private var task: Task<Void, Never>?
    private var isLate = false
    private var failure: UpstreamError?
    private let delay: () -> UInt64
    private var endsAt = LoopTime.distantFuture
    private lazy var timer = Timer(self)

    /// Creates a call that can be run with a time limit.
    ///
    /// - Parameter delay: returns the time so far that does not count towards the limit, in nanoseconds.
    package init(
        by loop: EventLoop,
        besides delay: @escaping () -> UInt64 = { 0 }
    ) {
        self.loop = loop
        self.delay = delay
    }

    package func timerFired() {
        let end = endsAt + delay()
        guard loop.now >= end else { return loop.arm(timer, at: end) }
        isLate = true
        task?.cancel()
    }

    /// Runs `ask` with a time limit and waits for its end.
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
        throw isLate && failure.kind == .cancelled ? failure.late(cause()) : failure
    }

    /// Runs `ask` with a time limit and returns its result.
    ///
    /// - Parameter end: the time by which the call has to end; `distantFuture` without a limit.
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

private final class Outcome<Value: Sendable>: OnLoop, @unchecked Sendable {
    var value: Value?
}
