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

/// A waiter that any thread can wake.
///
/// `@unchecked`: used on its loop only, except for `wake()`.
package final class RemoteWaiter: @unchecked Sendable {
    private let loop: EventLoop
    private let waiter = Waiter()
    /// Whether `wake()` was called. Set it to false before another wait.
    package var isWoken = false

    package init(_ loop: EventLoop) { self.loop = loop }

    /// Waits until the waiter is woken, at most until the deadline. Returns early if the task is cancelled.
    package func wait(until deadline: LoopTime) async {
        if !isWoken { await loop.wait(for: waiter, until: deadline) }
    }

    package func wake() {
        loop.call { [self] in
            isWoken = true
            waiter.wake()
        }
    }
}
