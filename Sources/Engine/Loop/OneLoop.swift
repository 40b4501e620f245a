import Glibc
import Synchronization

/// A check, in debug builds, that an object is used on one loop only: the first that uses it. Threads without a loop are
/// not checked: they make objects before their loop runs, and tests use objects without any.
package struct OneLoop: ~Copyable, Sendable {
    #if DEBUG
    private let owner = Atomic<UInt>(0)
    /// The threads of all loops that run.
    private static let threads = Lock<Set<UInt>>([])
    #endif

    package init() {}

    /// For the entry points of an object that a loop owns.
    package func check() {
        #if DEBUG
        let thread = UInt(pthread_self())
        guard Self.threads.withLock({ $0.contains(thread) }) else { return }
        let (isFirst, owner) = owner.compareExchange(expected: 0, desired: thread, ordering: .relaxed)
        precondition(isFirst || owner == thread, "used on two loops")
        #endif
    }

    static func noteThread(isRunning: Bool) {
        #if DEBUG
        let thread = UInt(pthread_self())
        threads.withLock { threads in
            if isRunning { threads.insert(thread) } else { threads.remove(thread) }
        }
        #endif
    }
}
