import Engine
import Support
import Testing

@testable import Limits

/// Requests that wait for several limits at one time.
@Suite struct SeveralLimitsTests {
    private let loops = TestLoops(2)
    private let clock = TestClock(slowness: 20)
    private let store = HookedStore()
    private static let minute = Limit(.caller(.chat), Quota(3, per: .minute))

    private func limiter(_ isShared: Bool) -> Limiter {
        let options = LimiterOptions(timeoutMicroseconds: 5_000_000)
        return isShared
            ? Limiter(store: store, options, on: TestLoops.ofStores, clock: clock.clock)
            : Limiter(store: nil, clock: clock.clock)
    }

    /// Starts a request, which may wait for so many seconds.
    private func ask(_ limiter: Limiter, _ charges: [LimitCharge], seconds: Int = 0) -> Task<Decision, Never> {
        let patience = LimitPatience(microseconds: seconds * 1_000_000, caller: .everybody)
        let loops = loops
        return Task {
            await loops.run { await limiter.reserve(charges, seconds > 0 ? patience : nil, on: $0).decision }
        }
    }

    private func waits(_ count: Int, _ limiter: Limiter) async {
        while limiter.metrics().waiting != count || limiter.asleep != count {
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test("a caller whose month has room waits for a minute", arguments: [false, true], ["A", "B", "C", "D"])
    func month(isShared: Bool, name: String) async {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let who = Identity.knownKey(named: name)
        let end = clock.clock.now().wall + 100_000_000
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: end, endText: "")
        let month = LimitCharge(Limit(.key(nil), Quota(5, per: .month), in: period), who)
        let both = [LimitCharge(Self.minute, who), month]
        for _ in 0..<3 { #expect(await ask(limiter, both).value.isAdmitted) }
        let waiting = (0..<2).map { _ in ask(limiter, both, seconds: 65) }
        await waits(2, limiter)
        #expect(limiter.knownUses([month])[0].used == 5, "their turns count at once")
        let refused = await ask(limiter, both, seconds: 65).value
        #expect(refused.refusal?.limit.quota.timeUnit == .month)
        #expect(refused.refusal?.retryAfterMicroseconds == 100_000_000)
        clock.advance(microseconds: 61_000_000)
        for request in waiting { #expect(await request.value.isAdmitted) }
        #expect(limiter.knownUses([month])[0].used == 5)
    }

    @Test("a turn after the end of the month is none, and the refusal says when to return", arguments: [false, true])
    func monthEnds(isShared: Bool) async throws {
        let limiter = limiter(isShared)
        defer { if isShared { limiter.stop() } }
        let end = clock.clock.now().wall + 30_000_000
        let period = CalendarPeriod(name: "2026-11", endMicroseconds: end, endText: "")
        let month = LimitCharge(Limit(.key(nil), Quota(50, per: .month), in: period), .everybody)
        let both = [LimitCharge(Self.minute, .everybody), month]
        for _ in 0..<3 { #expect(await ask(limiter, both).value.isAdmitted) }
        let wait = try #require(await ask(limiter, both, seconds: 65).value.refusal?.retryAfterMicroseconds)
        #expect(wait > 55_000_000 && wait <= 61_000_000)
    }
}
