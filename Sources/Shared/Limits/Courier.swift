import Glibc

/// Does what the ledger left to be done, once its lock is free.
struct Courier: Sendable {
    /// By lane.
    let parkings: [Parking]
    /// Where the start of the process waits for the store's clock.
    let ready = Parking()
    let onEvent: @Sendable (LimiterEvent) -> Void

    func deliver(_ outbox: Outbox) {
        for lane in outbox.lanes { parkings[lane].wake() }
        for request in outbox.decided {
            if let decision = request.decision { request.waiter.decided(decision) }
        }
        for event in outbox.events { onEvent(event) }
        if outbox.isReady { ready.wake() }
    }
}

/// Where a thread waits until it is woken or a time of the monotonic clock has come. A wake-up before the wait counts.
///
/// `@unchecked`: `isWoken` is reached with the mutex held only.
final class Parking: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isWoken = false

    init() {
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func wake() {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        isWoken = true
        pthread_cond_signal(condition)
    }

    func wait(untilMicroseconds time: Int?) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        var deadline = timespec(tv_sec: (time ?? 0) / 1_000_000, tv_nsec: (time ?? 0) % 1_000_000 * 1_000)
        while !isWoken {
            let code =
                time == nil ? pthread_cond_wait(condition, mutex) : pthread_cond_timedwait(condition, mutex, &deadline)
            if code == ETIMEDOUT { break }
        }
        isWoken = false
    }
}
