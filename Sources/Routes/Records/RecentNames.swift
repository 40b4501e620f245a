import Engine
import Limits

/// Names, such as addresses, for which something is recorded at most once in a time. All loops share this object.
final class RecentNames: Sendable {
    private let recordedAt = Lock(RecentTable<String, LoopTime>())
    private let pauseNanoseconds: UInt64
    private static let maxNames = 4_096

    init(pauseSeconds: UInt64) { pauseNanoseconds = pauseSeconds * 1_000_000_000 }

    /// The last recorded names.
    var all: [String] {
        recordedAt.withLock { recordedAt in
            var names: [String] = []
            recordedAt.forEachPair { name, _ in names.append(name) }
            return names
        }
    }

    /// Returns whether the name is recorded now. If so, it is not until the pause is over.
    func begins(_ name: String, at now: LoopTime) -> Bool {
        recordedAt.withLock { recordedAt in
            if let last = recordedAt.use(name), now < last + pauseNanoseconds { return false }
            recordedAt.set(name, now, atMost: Self.maxNames)
            return true
        }
    }
}
