package import Calls
import Engine

/// One call of one candidate, which ends when the time for all of them is over, unless its answer has begun.
///
/// `@unchecked`: used on its request's loop only.
package final class TimedAttempt: TimerTarget, @unchecked Sendable {
    private let endsAt: UInt64
    private let loop: EventLoop
    /// For who does not tell `begins`.
    private let isBegun: () -> Bool
    private var task: Task<Void, Never>?
    private var hasBegun = false
    private var isLate = false
    private lazy var timer = Timer(self)

    init(endsAt: UInt64, on loop: EventLoop, _ isBegun: @escaping () -> Bool) {
        self.endsAt = endsAt
        self.loop = loop
        self.isBegun = isBegun
    }

    /// From here on it has all the time that its vendor has.
    package func begins() {
        hasBegun = true
        loop.remove(timer)
    }

    package func timerFired() {
        guard !isBegun() else { return }
        isLate = true
        task?.cancel()
    }

    package func run<Value: Sendable>(
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        guard endsAt < .max else {
            do throws(UpstreamError) {
                return try await ask()
            } catch {
                throw told(error)
            }
        }
        let outcome = Outcome<Value>()
        let task = Task(executorPreference: loop) {
            do throws(UpstreamError) {
                outcome.result = .success(try await ask())
            } catch {
                outcome.result = .failure(error)
            }
        }
        self.task = task
        if endsAt < .max { loop.arm(timer, at: endsAt) }
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
            throw told(error)
        }
    }

    private func told(_ error: UpstreamError) -> UpstreamError {
        var error = error
        if isLate, error.kind == .cancelled {
            error = UpstreamError(.timedOut, cause: "no answer began within FALLBACK_DEADLINE")
        }
        if hasBegun { error.remedy = [] }
        return error
    }
}

/// `@unchecked`: used on one loop only.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
    var result: Result<Value, UpstreamError>?
}
