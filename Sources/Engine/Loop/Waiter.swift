/// The wait of one task for an event on its loop. It also ends when the task is cancelled.
///
/// `@unchecked`: only its loop's thread uses it, because tasks run and are cancelled there.
package final class Waiter: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Void, Never>?
    private let oneLoop = OneLoop()

    package init() {}

    /// Returns at the next `wake`, or at once in a cancelled task. The caller checks its condition before and after.
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
