import Engine
import Support
import Testing

@testable import Limits

@Suite struct ReservationTests {
    let loops = TestLoops()
    static let tokens = Limit(.key(nil), Quota(1_000, .tokens, per: .hour))
    static let requests = Limit(.key(nil), Quota(10, per: .hour))

    /// Reserves 400 tokens and one request, and then ends the reservation. Returns the remaining tokens and requests.
    private func remaining(_ limiter: Limiter, _ used: Amounts?) async -> (tokens: Int?, requests: Int?) {
        await loops.run { loop in
            let reservation = await limiter.reserve(
                [LimitCharge(Self.tokens, .everybody, units: 400), LimitCharge(Self.requests, .everybody)],
                on: loop
            )
            #expect(reservation.decision.isAdmitted)
            if let used { reservation.settle(used: used) } else { _ = consume reservation }
            let after = await limiter.reserve(
                [LimitCharge(Self.tokens, .everybody, units: 0), LimitCharge(Self.requests, .everybody, units: 0)],
                on: loop
            )
            return (after.decision.tokens?.remaining, after.decision.requests?.remaining)
        }
    }

    @Test(
        "settled, the difference is given back or charged; dropped, all stays; requests always",
        arguments: [
            (Amounts(tokens: 100), 900), (Amounts(tokens: 400), 600), (Amounts(tokens: 700), 300),
            (Amounts(tokens: 5_000), 0), (nil, 600), (Amounts(), 1_000),
        ] as [(Amounts?, Int)]
    )
    func inMemory(used: Amounts?, left: Int) async {
        let after = await remaining(Limiter(store: nil, clock: TestClock().clock), used)
        #expect(after.tokens == left && after.requests == 9)
    }

    @Test(
        "over a store as well",
        arguments: [(Amounts(tokens: 100), 900), (Amounts(tokens: 700), 300), (nil, 600)] as [(Amounts?, Int)]
    )
    func shared(used: Amounts?, left: Int) async throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
        let limiters = (0..<2).map { _ in
            Limiter(store: store, LimiterOptions(timeoutMicroseconds: 2_000_000), on: TestLoops.ofStores)
        }
        defer { for limiter in limiters { limiter.stop() } }
        let after = await remaining(limiters[0], used)
        #expect(after.tokens == left && after.requests == 9)
        // The settlement is written at the latest in the round of the next request.
        let other = await loops.run {
            await limiters[1].reserve([LimitCharge(Self.tokens, .everybody, units: 0)], on: $0).decision
        }
        #expect(other.tokens?.remaining == left)
    }

    @Test("nothing is given back once its bucket has left the record")
    func tooLate() async {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let limit = Limit(.total, Quota(100, .tokens, per: .minute))
        await loops.run { loop in
            let old = await limiter.reserve([LimitCharge(limit, .everybody, units: 60)], on: loop)
            clock.advance(microseconds: 62_000_000)
            let new = await limiter.reserve([LimitCharge(limit, .everybody, units: 70)], on: loop)
            #expect(new.decision.isAdmitted)
            old.settle(used: Amounts())
            let after = await limiter.reserve([LimitCharge(limit, .everybody, units: 0)], on: loop)
            #expect(after.decision.tokens?.remaining == 30)
        }
    }
}

@Suite struct DrawTests {
    private let limit = Limit(.total, Quota(1_000, .tokens, per: .hour))

    /// Returns the units that are left after a reservation of 100 and draws of 200 and 300, of which so many are used.
    private func left(used: Int?, _ limiter: Limiter) -> Int {
        guard var reservation = limiter.reserveInMemory([LimitCharge(limit, .everybody, units: 100)]) else { return -1 }
        for units in [200, 300] {
            guard let draw = limiter.reserveInMemory([LimitCharge(limit, .everybody, units: units)]) else { return -1 }
            reservation.add(draw)
        }
        settle(reservation, used)
        return limiter.reserveInMemory([LimitCharge(limit, .everybody, units: 0)])?.decision.tokens?.remaining ?? -1
    }

    private func settle(_ reservation: consuming Reservation, _ used: Int?) {
        if let used { reservation.settle(used: Amounts(tokens: used)) }
    }

    @Test(
        "a reservation and its draws are settled once, together",
        arguments: [(0, 1_000), (50, 950), (100, 900), (250, 750), (600, 400), (700, 300), (nil, 400)]
            as [(Int?, Int)]
    )
    func settles(used: Int?, left: Int) {
        #expect(self.left(used: used, Limiter(store: nil)) == left)
    }
}
