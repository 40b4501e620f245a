import Engine
import Limits
import Testing

/// Tests of limits that count a month or a day of the calendar.
@Suite struct CalendarTests {
    private let loops = TestLoops()

    private func limit(_ name: String, end: Int, now: (@Sendable () -> Int)? = nil) -> Limit {
        let period = CalendarPeriod(name: name, endMicroseconds: end, endText: "", now: now)
        return Limit(.key(nil), Quota(60, per: .month), in: period)
    }

    @Test("a period of 31 days and an hour admits N, however far apart, and refuses until its end")
    func wholePeriod() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let who = Identity.knownKey(named: "A")
        let length = (31 * 24 + 1) * 3_600_000_000
        let start = clock.clock.now().wall
        let november = limit("2026-11", end: start + length)
        func ask(_ limit: Limit) async -> Decision {
            await loops.run { await limiter.reserve([LimitCharge(limit, who)], on: $0).decision }
        }
        for count in 0..<60 {
            let decision = await ask(november)
            #expect(decision.isAdmitted && decision.requests?.remaining == 59 - count)
            #expect(decision.requests?.resetMicroseconds == start + length - clock.clock.now().wall)
            clock.advance(microseconds: length / 60)
        }
        clock.advance(microseconds: start + length - clock.clock.now().wall - 1)
        #expect(await ask(november).refusal?.retryAfterMicroseconds == 1)
        clock.advance(microseconds: 1)
        let december = await ask(limit("2026-12", end: start + 2 * length))
        #expect(december.isAdmitted && december.requests?.remaining == 59)
    }

    @Test("a period ends by the machine's clock, also after it was set, which the limits' own clock does not follow")
    func setClock() async throws {
        let clock = TestClock()
        let limiter = Limiter(store: nil, clock: clock.clock)
        let (hour, ahead) = (3_600_000_000, Lock(0))
        let end = clock.clock.now().wall + 10 * hour
        let november = limit("2026-11", end: end) { clock.clock.now().wall + ahead.withLock { $0 } }
        func ask() async -> Decision {
            let charge = LimitCharge(november, .knownKey(named: "A"), units: 30)
            return await loops.run { await limiter.reserve([charge], on: $0).decision }
        }
        for (hours, left) in [(0, 10), (9, 1)] {
            ahead.withLock { $0 = hours * hour }
            let decision = await ask()
            #expect(decision.isAdmitted && decision.requests?.resetMicroseconds == left * hour)
        }
        for (hours, left) in [(9, 1), (-3, 13), (0, 10)] {
            ahead.withLock { $0 = hours * hour }
            #expect(await ask().refusal?.retryAfterMicroseconds == left * hour)
        }
    }

    @Test(
        "months and days of the calendar are written so",
        arguments: [
            ("500 usd/month", Quota(500_000_000_000, .usd, per: .month), "500.00 usd per month"),
            ("5/calendar-day", Quota(5, per: .day, isCalendar: true), "5 requests per calendar-day"),
            ("7 tokens per month", Quota(7, .tokens, per: .month), "7 tokens per month"),
        ]
    )
    func reads(text: String, quota: Quota, shown: String) throws {
        #expect(try Quota.list(text) == [quota] && quota.textWithUnit == shown)
        #expect(quota != Quota(quota.count, quota.unit, per: .day))
    }

    @Test(
        "a sliding day and one of the calendar may stand side by side, several months not",
        arguments: [
            ("5/day;4/calendar-day;60/month;70/31 days", true), ("5/2 months", false), ("5/2 month", false),
            ("5/month;6/month", false), ("5/calendar-month", false),
        ]
    )
    func lists(text: String, isValid: Bool) { #expect(((try? Quota.list(text)) != nil) == isValid) }
}
