import Engine
import Limits

/// The addresses whose requests with a refused key have a usage record of the last minute. All loops share this object.
final class RefusedAddresses: Sendable {
    private let recordedAt = Lock(RecentTable<String, LoopTime>())
    private static let maxAddresses = 4_096
    private static let pauseNanoseconds: UInt64 = 60_000_000_000

    /// Returns whether a refused request from this address needs a record. If so, the next ones need none for a minute.
    func needsRecord(_ address: String, at now: LoopTime) -> Bool {
        recordedAt.withLock { recordedAt in
            if let last = recordedAt.use(address), now < last + Self.pauseNanoseconds { return false }
            recordedAt.set(address, now, atMost: Self.maxAddresses)
            return true
        }
    }
}
