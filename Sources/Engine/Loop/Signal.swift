import CLinux
import Glibc
import Synchronization

/// A signal for one thread, which waits until it is woken or a deadline of the monotonic clock has passed. A wake-up
/// before the wait counts.
///
/// A semaphore is cheaper than a condition variable, with which the woken thread would take a mutex and wake other
/// waiters.
///
/// `@unchecked`: semaphores can be used by all threads.
package final class Signal: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    /// Whether a wake-up is pending, so that another one is not needed.
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
    ///
    /// - Parameter deadline: `distantFuture` waits without end.
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
