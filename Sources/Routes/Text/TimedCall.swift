import Calls
import Engine

/// A call in a task of its own, which ends when its time is over, unless the limit was lifted before.
///
/// `@unchecked`: used on its loop only.
final class TimedCall: TimerTarget, @unchecked Sendable {
    private let loop: EventLoop
    private var task: Task<Void, Never>?
    private var isLate = false
    private lazy var timer = Timer(self)

    init(by loop: EventLoop) { self.loop = loop }

    func timerFired() {
        isLate = true
        task?.cancel()
    }

    /// The call may take as long as it wants from here on.
    func lift() { loop.remove(timer) }

    /// - Parameters:
    ///   - end: `.max`: there is no limit.
    ///   - cause: of the failure if its time is over, for the log.
    func result<Value: Sendable>(
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
