import Glibc
import Synchronization

/// An object that only the thread of one event loop uses once it was made, usually the loop of its request.
///
/// A class that conforms is `@unchecked Sendable` for this reason: tasks of a loop run on its thread alone. Debug builds
/// check the thread where events come in: timers, waiters, calls to vendors and waits for their events.
package protocol OnLoop: AnyObject, Sendable {}

/// A check, in debug builds, that an object is used on one loop only. Threads without a loop are not checked.
package struct OneLoop: ~Copyable, Sendable {
    #if DEBUG
    private let owner = Atomic<UInt>(0)
    /// The ids of the threads on which loops are running.
    private static let threads = Lock<Set<UInt>>([])
    #endif

    package init() {}

    /// Traps in debug builds if another loop has already used the object.
    package func check() {
        #if DEBUG
        let thread = UInt(pthread_self())
        guard Self.threads.withLock({ $0.contains(thread) }) else { return }
        let (isFirst, owner) = owner.compareExchange(expected: 0, desired: thread, ordering: .relaxed)
        precondition(isFirst || owner == thread, "used on two loops")
        #endif
    }

    static func countThread(isRunning: Bool) {
        #if DEBUG
        let thread = UInt(pthread_self())
        threads.withLock { threads in
            if isRunning { threads.insert(thread) } else { threads.remove(thread) }
        }
        #endif
    }
}
