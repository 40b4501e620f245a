import Engine
import Shared
import Upstream

/// What vendors said of keys: a good verdict holds for five minutes, a bad one for five seconds.
///
/// `@unchecked`: used on one loop only.
final class KeyVerdicts: @unchecked Sendable {
    private var verdicts: [Digest: (isGood: Bool, until: UInt64)] = [:]
    private static let limit = 1_000

    /// A pass-through caller's key is bad if a vendor refuses it.
    func isGood(_ caller: Caller, _ gateway: Gateway) async -> Bool {
        guard let digest = caller.identity else { return false }
        if let known = verdicts[digest], gateway.loop.nowNanoseconds < known.until { return known.isGood }
        var isGood = true
        for checker in gateway.keyCheckers where isGood { isGood = await checker.accepts(key: caller.passedKey) }
        if Task.isCancelled { return false }
        if verdicts.count >= Self.limit { verdicts.removeAll() }
        let seconds: UInt64 = isGood ? 300 : 5
        verdicts[digest] = (isGood, gateway.loop.nowNanoseconds + seconds * 1_000_000_000)
        return isGood
    }
}
