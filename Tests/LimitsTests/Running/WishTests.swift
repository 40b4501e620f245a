import Engine
import Limits
import Support
import Testing

/// Requests that reserve more than they need, as far as it is free.
@Suite struct WishTests {
    @Test(
        "a request whose minimum fits is admitted with min(wish, max(minimum, free)), in one limit or several",
        arguments: 0..<20
    )
    func property(seed: Int) {
        var dice = Dice(seed: seed)
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let limits = [Quota.Unit.tokens, .usd, .credits].prefix(1 + dice.below(3)).map {
            Limit(.total, Quota(50 + dice.below(200), $0, per: .minute))
        }
        var used = limits.map { _ in 0 }
        for _ in 0..<200 {
            let least = limits.map { 1 + dice.below($0.quota.count / 2) }
            let wishes = least.map { $0 + dice.below(4) * dice.below(200) }
            let charges = limits.indices.map {
                LimitCharge(limits[$0], .everybody, units: least[$0], upTo: wishes[$0])
            }
            guard let reservation = limiter.reserveInMemory(charges) else { return }
            let free = limits.indices.map { limits[$0].quota.count - used[$0] }
            let fits = limits.indices.allSatisfy { least[$0] <= free[$0] }
            #expect(reservation.decision.isAdmitted == fits)
            guard fits else { continue }
            let reserved = limits.indices.map { min(wishes[$0], max(least[$0], free[$0])) }
            if limits.count == 1 {
                #expect(reservation.decision.tokens?.remaining == free[0] - reserved[0])
            }
            if dice.below(4) == 0 {
                // Nobody settles: what was reserved stays counted.
                for index in used.indices { used[index] += reserved[index] }
                continue
            }
            let spent = reserved.map { dice.below($0 / 8 + 1) }
            for index in used.indices { used[index] += spent[index] }
            let amounts = limits.indices.reduce(into: Amounts()) { amounts, index in
                switch limits[index].quota.unit {
                case .tokens: amounts.tokens = spent[index]
                case .usd: amounts.usd = spent[index]
                default: amounts.credits = spent[index]
                }
            }
            reservation.settle(used: amounts)
        }
    }
}
