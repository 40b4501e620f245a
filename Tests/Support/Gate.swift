import Glibc

/// A gate that lets threads through once it is open. It does not use Dispatch, which ThreadSanitizer does not see.
///
/// `@unchecked`: `isOpen` is used only while the mutex is held.
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

    /// Waits in a task, without holding one of the few threads that all tests share. Returns false if the gate does not
    /// open.
    package func opens() async -> Bool {
        await withUnsafeContinuation { continuation in
            let thread = TestThread { [self] in continuation.resume(returning: wait()) }
            thread.detach()
        }
    }

    /// Blocks the thread until the gate opens. Returns false if that does not happen within a minute.
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

/// A thread that runs one closure.
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

/// Runs `body` on its own thread, because tests share as few threads as there are cores, and some depend on time.
/// Returns the result.
package func aside<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withUnsafeContinuation { continuation in
        let thread = TestThread {
            continuation.resume(returning: body())
        }
        thread.detach()
    }
}
