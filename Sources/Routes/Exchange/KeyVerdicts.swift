import Calls
import Engine
import Limits
import Shared
import Upstream

/// Verdicts of vendors on keys: of a key that one of them takes they hold for five minutes, of another one for five seconds.
///
/// `@unchecked`: used on one loop only.
final class KeyVerdicts: @unchecked Sendable {
    private var verdicts = RecentTable<Identity, (refusers: Set<String>?, until: LoopTime)>()
    private static let limit = 1_000

    /// The providers whose vendors refuse a pass-through caller's key; nil: all do, so it is bad.
    func refusers(of caller: Caller, _ gateway: Gateway) async -> Set<String>? {
        guard let identity = caller.identity else { return nil }
        if let known = verdicts.use(identity), gateway.loop.now < known.until { return known.refusers }
        let checkers = gateway.keyCheckers
        let areGood = await allChoices(checkers.count) { await checkers[$0].accepts(key: caller.passedKey) }
        if Task.isCancelled { return nil }
        let isGood = checkers.isEmpty || areGood.contains(true)
        let refusers = isGood ? Set(zip(checkers, areGood).filter { !$1 }.map(\.0.name)) : nil
        let seconds: UInt64 = isGood ? 300 : 5
        let until = gateway.loop.now + seconds * 1_000_000_000
        verdicts.set(identity, (refusers, until), atMost: Self.limit)
        return refusers
    }
}
