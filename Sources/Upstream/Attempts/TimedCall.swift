package import Engine

/// An asynchronous task, such as an upstream call, that is cancelled at its time limit.
package final class TimedCall: TimerTarget, OnLoop, @unchecked Sendable {
    private let loop: EventLoop
    private var cancel: (() -> Void)?
    private var isLate = false
    private let delay: () -> UInt64
    private var endsAt = LoopTime.distantFuture
    private lazy var timer = Timer(self)

    /// Creates a call that can be run with a time limit.
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
        cancel?()
    }

    /// Runs `ask` with a time limit and returns its result.
    /// - Parameter end: the time by which the call has to end; `distantFuture` without a limit.
    package func result<Value: Sendable>(
        until end: LoopTime,
        orFailFor cause: @autoclosure () -> String,
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        guard end < .distantFuture else { return try await ask() }
        let task = Task(executorPreference: loop) { () async -> Result<Value, UpstreamError> in
            do throws(UpstreamError) { return .success(try await ask()) } catch { return .failure(error) }
        }
        cancel = task.cancel
        endsAt = end
        loop.arm(timer, at: end)
        let outcome = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        cancel = nil
        loop.remove(timer)
        return try outcome.mapError { isLate && $0.kind == .cancelled ? $0.late(cause()) : $0 }.get()
    }
}
