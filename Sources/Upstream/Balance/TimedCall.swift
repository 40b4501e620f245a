package import Calls
package import Engine

/// A call in a task of its own, which ends when its time is over, unless the limit was lifted before.
///
/// `@unchecked`: used on its loop only.
package final class TimedCall: TimerTarget, @unchecked Sendable {
    private let loop: EventLoop
    private var task: Task<Void, Never>?
    private var isLate = false
    private let isLifted: () -> Bool
    private lazy var timer = Timer(self)

    /// - Parameter isLifted: the limit was lifted, as far as `lift` does not tell.
    package init(by loop: EventLoop, unless isLifted: @escaping () -> Bool = { false }) {
        self.loop = loop
        self.isLifted = isLifted
    }

    package func timerFired() {
        guard !isLifted() else { return }
        isLate = true
        task?.cancel()
    }

    /// The call may take as long as it wants from here on.
    package func lift() { loop.remove(timer) }

    /// - Parameters:
    ///   - end: `.max`: there is no limit.
    ///   - cause: of the failure if its time is over, for the log.
    package func result<Value: Sendable>(
        until end: UInt64,
        orFailFor cause: @autoclosure () -> String,
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let outcome = Outcome<Value>()
        let task = Task(executorPreference: loop) {
            do throws(UpstreamError) {
                outcome.result = .success(try await ask())
            } catch {
                outcome.result = .failure(error)
            }
        }
        self.task = task
        if end < .max { loop.arm(timer, at: end) }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        self.task = nil
        loop.remove(timer)
        do throws(UpstreamError) {
            guard let result = outcome.result else { throw UpstreamError(.cancelled, cause: "cancelled") }
            return try result.get()
        } catch {
            if isLate, error.kind == .cancelled { throw UpstreamError(.timedOut, cause: cause()) }
            throw error
        }
    }
}

/// `@unchecked`: used on one loop only.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
    var result: Result<Value, UpstreamError>?
}
