import Calls
import Engine
import Limits
import Shared
import Upstream

/// Verdicts of vendors on keys: a good one holds for five minutes, a bad one for five seconds.
///
/// `@unchecked`: used on one loop only.
final class KeyVerdicts: @unchecked Sendable {
    private var verdicts = RecentTable<Identity, (isGood: Bool, until: UInt64)>()
    private static let limit = 1_000

    /// A pass-through caller's key is bad if a vendor refuses it.
    func isGood(_ caller: Caller, _ gateway: Gateway) async -> Bool {
        guard let identity = caller.identity else { return false }
        if let known = verdicts.use(identity), gateway.loop.nowNanoseconds < known.until { return known.isGood }
        var isGood = true
        for checker in gateway.keyCheckers where isGood { isGood = await checker.accepts(key: caller.passedKey) }
        if Task.isCancelled { return false }
        let seconds: UInt64 = isGood ? 300 : 5
        let until = gateway.loop.nowNanoseconds + seconds * 1_000_000_000
        verdicts.set(identity, (isGood, until), atMost: Self.limit)
        return isGood
    }
}
