import Engine
import Glibc
import Limits

/// The beginnings of prompts that callers have sent in the last minutes. Can be used on any thread.
package final class RecentBeginnings: Sendable {
    private let times = Lock(RecentTable<Int, Int>())

    /// The time in seconds for which the vendor keeps a cache entry that is not used.
    private static let lifeSeconds = 300
    private static let maxBeginnings = 10_000

    package init() {}

    /// Records that a caller sends a beginning. Returns whether the caller sent it before, while the vendor keeps it.
    func record(_ beginning: Int, at now: Int = Int(Glibc.time(nil))) -> Bool {
        times.withLock { times in
            let last = times.use(beginning)
            times.set(beginning, now, atMost: Self.maxBeginnings)
            return last.map { now - $0 < Self.lifeSeconds } ?? false
        }
    }
}
