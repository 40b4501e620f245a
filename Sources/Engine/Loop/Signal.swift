import CLinux
import Glibc
import Synchronization

/// A signal on which one thread waits until another thread wakes it or a deadline has passed. If `wake` is called
/// before `wait`, the next `wait` returns at once.
///
/// `@unchecked`: all threads may use a semaphore.
package final class Signal: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    /// Whether `wake` was called since `wait` last returned. If so, a further call of `wake` does nothing.
    private let isWoken = Atomic<Bool>(false)

    package init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    package func wake() {
        if !isWoken.exchange(true, ordering: .acquiringAndReleasing) { sem_post(semaphore) }
    }

    /// Waits until the thread is woken or the deadline has passed. May return early. Returns whether the thread was
    /// woken.
    @discardableResult
    package func wait(until deadline: LoopTime = .distantFuture) -> Bool {
        var code: Int32
        repeat {
            if deadline == .distantFuture {
                code = sem_wait(semaphore)
            } else {
                var time = deadline.systemTime
                code = sem_clockwait(semaphore, CLOCK_MONOTONIC, &time)
            }
        } while code != 0 && errno == EINTR
        // After this, the thread sees everything that was written before the wake-up.
        return isWoken.exchange(false, ordering: .acquiringAndReleasing)
    }
}
