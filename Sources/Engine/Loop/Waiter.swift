/// An object on which one task waits for `wake` on its loop. The wait also ends when the task is cancelled.
///
/// `@unchecked`: only its loop's thread uses it, because tasks run and are cancelled there.
package final class Waiter: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Void, Never>?
    private let oneLoop = OneLoop()

    package init() {}

    /// Waits for the next `wake`. Returns at once if the task is cancelled. Call it in a loop that checks the awaited
    /// condition.
    package func wait() async {
        oneLoop.check()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if Task.isCancelled { continuation.resume() } else { self.continuation = continuation }
            }
        } onCancel: {
            wake()
        }
    }

    package func wake() {
        oneLoop.check()
        guard let continuation else { return }
        self.continuation = nil
        continuation.resume()
    }
}

extension Waiter: TimerTarget {
    package func timerFired() { wake() }
}
