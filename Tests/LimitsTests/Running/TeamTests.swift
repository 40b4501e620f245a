import Engine
import Support
import Testing

@testable import Limits

/// A team of ten keys under a month's budget, at four instances, in virtual time.
///
/// `@unchecked`: `months` is set once.
private final class Team: @unchecked Sendable {
    /// The used units, in nanodollars.
    struct Spent {
        /// By month and key.
        var ofKeys: [[Int: Int]] = [[:], [:]]
        /// By session, with the time of the admission.
        var ofSessions: [String: [(time: Int, units: Int)]] = [:]
        var refusals: [Limit.Kind: Int] = [:]
    }

    static let dollar = 1_000_000_000
    static let day = 86_400_000_000
    /// The months and their days.
    private static let lengths = [("2026-11", 30), ("2026-12", 31)]
    static let days = 61
    private let clock = TestClock()
    private let limiters: [Limiter]
    private let spent = Lock(Spent())
    private var months: [(ofGroup: Limit, ofKey: Limit)] = []
    private let ofSession = Limit(.session, Quota(5 * dollar, .usd, per: .day))

    init() {
        let clock = clock.clock
        let store = MemoryCounters(seconds: { clock.now().wall / 1_000_000 })
        limiters = (0..<4).map { _ in
            Limiter(
                store: store,
                LimiterOptions(timeoutMicroseconds: 60_000_000),
                on: TestLoops.ofStores,
                clock: clock
            )
        }
        var end = clock.now().wall
        for (name, days) in Self.lengths {
            end += days * Self.day
            let period = CalendarPeriod(name: name, endMicroseconds: end, endText: "")
            let group = Limit(.group(nil), Quota(500 * Self.dollar, .usd, per: .month), ofGroup: "team", in: period)
            let key = Limit(.key(nil), Quota(60 * Self.dollar, .usd, per: .month), in: period)
            months.append((group, key))
        }
    }

    func stop() { for limiter in limiters { limiter.stop() } }

    var result: Spent { spent.withLock { $0 } }

    func advance(microseconds: Int) { clock.advance(microseconds: microseconds) }

    /// Asks for one request, which uses a part of what it reserves.
    func ask(_ key: Int, session: Int, day: Int, reserved: Int, used: Int, at instance: Int, on loop: EventLoop) async {
        let month = day < Self.lengths[0].1 ? 0 : 1
        let who = Identity.knownKey(named: "K\(key)")
        let name = "\(key) \(session)"
        let charges = [
            LimitCharge(months[month].ofGroup, .group(named: "team"), units: reserved),
            LimitCharge(months[month].ofKey, who, units: reserved),
            LimitCharge(ofSession, who.inSession(Digest(of: name)), units: reserved),
        ]
        let time = clock.clock.now().wall
        let reservation = await limiters[instance].reserve(charges, on: loop)
        guard reservation.decision.isAdmitted else {
            if let kind = reservation.decision.refusal?.limit.kind {
                spent.withLock { $0.refusals[kind, default: 0] += 1 }
            }
            return
        }
        reservation.settle(used: Amounts(usd: used))
        spent.withLock { spent in
            spent.ofKeys[month][key, default: 0] += used
            spent.ofSessions[name, default: []].append((time, used))
        }
    }
}

@Suite struct TeamTests {
    @Test("two months of a team: no budget is passed, and those of which more was wanted are used to 97 %")
    func months() async {
        let team = Team()
        var dice = Dice(seed: 7)
        for day in 0..<Team.days {
            // Eight times a day eight requests at once; the keys want unequally much, and one session runs away.
            for round in 0..<8 {
                let asked = (0..<8).map { _ in
                    let key = min(dice.below(10), dice.below(12))
                    let reserved = Team.dollar / 5 * (1 + dice.below(5))
                    let session = key == 0 ? 1_000 : day * 10 + dice.below(3)
                    return (key, session, reserved, used: reserved * (40 + dice.below(61)) / 100)
                }
                _ = await TestLoops.lasting.run(8) { at, loop in
                    let (key, session, reserved, used) = asked[at]
                    let instance = (round + at) % 4
                    await team.ask(
                        key,
                        session: session,
                        day: day,
                        reserved: reserved,
                        used: used,
                        at: instance,
                        on: loop
                    )
                }
                team.advance(microseconds: Team.day / 8)
            }
        }
        team.stop()
        let spent = team.result
        for month in spent.ofKeys {
            let all = month.values.reduce(0, +)
            #expect(all <= 500 * Team.dollar && all >= 485 * Team.dollar, "\(all)")
            #expect(month.values.allSatisfy { $0 <= 60 * Team.dollar })
            #expect(month.values.count { $0 >= 58 * Team.dollar } >= 5)
        }
        for (_, admitted) in spent.ofSessions { #expect(mostInAnyWindow(admitted, Team.day) <= 5 * Team.dollar) }
        #expect([.group(nil), .key(nil), .session].allSatisfy { (spent.refusals[$0] ?? 0) > 50 })
    }

    @Test("each of two thousand sessions has its own limit, and no more")
    func sessions() async {
        let store = MemoryCounters(seconds: { epoch / 1_000_000 })
        let limiter = Limiter(
            store: store,
            LimiterOptions(timeoutMicroseconds: 60_000_000),
            on: TestLoops.ofStores,
            clock: LimitClock(now: { ClockReading(wall: epoch, steady: 1) }, alarm: { _ in .distantFuture })
        )
        let limit = Limit(.session, Quota(5, per: .minute))
        let who = Identity.knownKey(named: "TEAM")
        var admitted = [Int](repeating: 0, count: 2_000)
        for _ in 0..<6 {
            for first in stride(from: 0, to: admitted.count, by: 100) {
                let answers = await TestLoops.lasting.run(100) { at, loop in
                    let session = who.inSession(Digest(of: "session \(first + at)"))
                    return await limiter.reserve([LimitCharge(limit, session)], on: loop).decision.isAdmitted
                }
                for (at, isAdmitted) in answers.enumerated() where isAdmitted { admitted[first + at] += 1 }
            }
        }
        #expect(admitted.allSatisfy { $0 == 5 })
        limiter.stop()
    }
}
