import Glibc

/// Lets threads through once it is open. Not Dispatch's: ThreadSanitizer does not see that.
///
/// `@unchecked`: `isOpen` is reached with the mutex held only.
package final class Gate: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isOpen = false

    package init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func open() {
        pthread_mutex_lock(mutex)
        isOpen = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// For tasks: waits without holding one of the few threads that all tests share.
    package func opens() async -> Bool {
        await withUnsafeContinuation { continuation in
            let thread = TestThread { [self] in continuation.resume(returning: wait()) }
            thread.detach()
        }
    }

    /// Blocks the thread; false when it has not opened within a minute.
    @discardableResult
    package func wait() -> Bool {
        var until = timespec()
        clock_gettime(CLOCK_REALTIME, &until)
        until.tv_sec += 60
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isOpen {
            if pthread_cond_timedwait(condition, mutex, &until) == ETIMEDOUT { return isOpen }
        }
        return true
    }
}

/// A thread of its own.
///
/// `@unchecked`: constant after `init`.
package final class TestThread: @unchecked Sendable {
    private var thread = pthread_t()

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    package init(_ body: @escaping @Sendable () -> Void) {
        let context = Unmanaged.passRetained(Work(body)).toOpaque()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            },
            context
        )
        precondition(code == 0, "no thread")
    }

    package func detach() { pthread_detach(thread) }

    package func join() { pthread_join(thread, nil) }
}

/// On a thread of its own: tests share as few threads as there are cores, and some watch the time.
package func aside<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withUnsafeContinuation { continuation in
        let thread = TestThread {
            continuation.resume(returning: body())
        }
        thread.detach()
    }
}
