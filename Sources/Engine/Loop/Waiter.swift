/// One task's wait for something that happens on its loop; also ends when the task is cancelled.
///
/// `@unchecked`: only its loop's thread touches it: tasks run there, and are cancelled there.
package final class Waiter: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Void, Never>?
    private let oneLoop = OneLoop()

    package init() {}

    /// Returns at the next `wake`, at once in a cancelled task. The caller checks its condition before and after.
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
