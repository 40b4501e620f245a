import Glibc
import Synchronization

/// A check, in debug builds, that an object is used on one loop only: the first one that uses it. Threads without a
/// loop are not checked: they create objects before the loop runs, and tests use objects without a loop.
package struct OneLoop: ~Copyable, Sendable {
    #if DEBUG
    private let owner = Atomic<UInt>(0)
    /// The threads of all running loops.
    private static let threads = Lock<Set<UInt>>([])
    #endif

    package init() {}

    /// Traps if the object is used on another loop. Call it in the entry points of an object that a loop owns.
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
