import Engine
import Limits
import Shared
import Upstream

/// A cache of the vendors' decisions about passthrough keys, each valid for a short time.
final class KeyAcceptanceCache: OnLoop, @unchecked Sendable {
    private var keyAcceptance = RecentTable<Identity, (refusers: Set<String>?, until: LoopTime)>()
    private static let limit = 1_000

    /// Returns the names of the providers that refuse the caller's passthrough key; nil if all refuse it.
    ///
    /// Also nil if the caller has no key or the request was cancelled.
    func refusers(of caller: Caller, _ gateway: Gateway) async -> Set<String>? {
        guard let identity = caller.identity else { return nil }
        if let known = keyAcceptance.use(identity), gateway.loop.now < known.until { return known.refusers }
        let checkers = gateway.keyCheckers
        let areGood = await allChoices(checkers.count) { await checkers[$0].accepts(key: caller.passedKey) }
        if Task.isCancelled { return nil }
        let isGood = checkers.isEmpty || areGood.contains(true)
        let refusers = isGood ? Set(zip(checkers, areGood).filter { !$1 }.map(\.0.name)) : nil
        let seconds: UInt64 = isGood ? 300 : 5
        let until = gateway.loop.now + seconds * 1_000_000_000
        keyAcceptance.set(identity, (refusers, until), atMost: Self.limit)
        return refusers
    }
}
