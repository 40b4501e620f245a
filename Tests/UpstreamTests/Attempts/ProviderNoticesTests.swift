import Engine
import Glibc
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct ProviderNoticesTests {
    /// The log's lines without their times, causes and durations.
    private func lines(_ body: (ProviderNotices) -> Void) -> [String] {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        defer { for end in ends { close(end) } }
        let log = Log(level: .info, format: .text, descriptor: ends[1])
        body(ProviderNotices(log))
        log.error("end")
        #expect(log.flush(seconds: 10))
        var room = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(ends[0], &room, room.count)
        let text = String(decoding: room[..<max(0, count)], as: UTF8.self)
        return text.split(separator: "\n").dropLast().map { line in
            var line = String(line.drop { $0 != " " }.dropFirst())
            for field in [" cause=", " after_s="] {
                if let cut = line.firstRange(of: field) { line = String(line[..<cut.lowerBound]) }
            }
            return line
        }
    }

    private let first = ProviderNotices.State.keyRefused(provider: "a", key: "k1", setting: "A_KEYS")

    private func refused(_ kind: UpstreamError.Kind, by credential: Credential) -> UpstreamError {
        var error = UpstreamError.scripted(kind)
        error.credential = credential
        return error
    }

    /// A candidate of the provider `a` that records the outcomes of its calls itself.
    private func candidate(with balance: Balance) -> Candidate {
        let served = providers([""]).modelCatalog[0]
        return Candidate(
            server: Billing.Server("a", name: "m"),
            provider: ScriptedVendor(named: "a", [[[]]]),
            model: served.model,
            keys: nil,
            fixed: nil,
            offeredBy: 0,
            rank: served.rank,
            balance: balance,
            loop: EventLoop()
        )
    }

    @Test("a state that lasts is told once, one that comes and goes once a minute, its end only after its beginning")
    func limited() {
        let lines = lines { notices in
            for second in 0..<600 { notices.begins(first, at: .seconds(UInt64(second)), "x") }
            notices.ends(first, at: .seconds(600))
            notices.ends(first, at: .seconds(601))
            // It comes and goes each second.
            for second in 700..<800 {
                notices.begins(first, at: .seconds(UInt64(second)), "x")
                notices.ends(first, at: .seconds(UInt64(second)))
            }
            // It comes back within the minute and stays.
            for second in 800..<900 { notices.begins(first, at: .seconds(UInt64(second)), "x") }
        }
        let (begun, over) = (
            "a provider refuses a key; the key is in cooldown provider=a key=k1",
            "a provider accepts a key again provider=a key=k1"
        )
        #expect(Self.lowered(lines) == [begun, over, begun, over, begun, over, begun])
    }

    /// Returns the lines without the word for the level.
    private static func lowered(_ lines: [String]) -> [String] {
        lines.map { String($0.drop { $0 != " " }.drop { $0 == " " }) }
    }

    @Test("ten minutes of failures of three keys and of the provider: one line for each state, and one for its end")
    func tenMinutes() {
        let keys = ["k1", "k2", "k3"].map { Credential(own: $0, label: $0) }
        let kinds: [UpstreamError.Kind] = [.badKey, .outOfCredit, .forbidden]
        let lines = lines { notices in
            let ring = KeyRing(["k1", "k2", "k3"], weights: [1, 1, 1], notices: ("a", "A_KEYS", notices))
            let balance = Balance(settings([""]).balance, notices: (["a", "b"], notices))
            let breaker = Balance.BreakerKey(provider: 0, model: "m")
            for second in 0..<600 {
                let now = LoopTime.seconds(UInt64(second))
                for (key, kind) in zip(keys, kinds) where ring.begins(key, at: now) {
                    ring.failed(key, refused(kind, by: key), begun: now, at: now)
                }
                guard !balance.isOpen(breaker, at: now) else { continue }
                balance.begins(breaker, at: now)
                balance.conclude(breaker, .scripted(.failed), at: now)
                #expect(balance.openBreakers(at: now).isEmpty == (second < 2))
            }
            for key in keys { ring.served(key, begun: .seconds(1_000)) }
            balance.served(breaker)
            #expect(balance.openBreakers(at: .seconds(1_000)).isEmpty)
        }
        let begun = "a provider refuses a key; the key is in cooldown provider=a key="
        let over = "a provider accepts a key again provider=a key="
        #expect(
            Self.lowered(lines)
                == ["k1", "k2", "k3"].map { begun + $0 } + ["a circuit breaker has opened provider=a model=m"]
                + ["k1", "k2", "k3"].map { over + $0 } + ["a circuit breaker has closed provider=a model=m"]
        )
    }

    @Test("rate limits of keys, and failures of callers' keys, are no states")
    func untold() {
        let lines = lines { notices in
            let ring = KeyRing(["k1"], weights: [1], notices: ("a", "A_KEYS", notices))
            let key = Credential(own: "k1", label: "k1")
            ring.failed(key, refused(.rateLimited, by: key), begun: 0, at: 0)
            ring.served(key, begun: .seconds(1))
            let balance = Balance(settings([""]).balance, notices: (["a"], notices))
            let lone = candidate(with: balance)
            let caller = Credential(passedOn: "own")
            for kind in [UpstreamError.Kind.badKey, .outOfCredit, .forbidden, .rateLimited, .badRequest] {
                for _ in 0..<5 { lone.failed(caller, refused(kind, by: caller), begun: 0, at: 0) }
            }
        }
        #expect(lines == [])
    }

    @Test("a candidate without others opens its breaker, though its calls go on")
    func lone() {
        let lines = lines { notices in
            let balance = Balance(settings([""]).balance, notices: (["a"], notices))
            let lone = candidate(with: balance)
            for second in 0..<100 {
                lone.failed(.none, .scripted(.failed), begun: .seconds(UInt64(second)), at: .seconds(UInt64(second)))
            }
            lone.served(.none, begun: .seconds(100))
        }
        #expect(
            Self.lowered(lines)
                == [
                    "a circuit breaker has opened provider=a model=m",
                    "a circuit breaker has closed provider=a model=m",
                ]
        )
    }

    @Test("other settings begin anew")
    func forgotten() {
        let lines = lines { notices in
            notices.begins(first, at: .seconds(1), "x")
            notices.begins(.unreachable(provider: "a"), at: .seconds(1), "x")
            #expect(notices.hasUnreachable)
            notices.forgetBreakers()
            #expect(!notices.hasUnreachable)
            notices.ends(.unreachable(provider: "a"), at: .seconds(2))
            notices.forgetKeys(of: "b")
            notices.ends(first, at: .seconds(2))
            notices.forgetKeys(of: "a")
            notices.begins(first, at: .seconds(3), "x")
        }
        #expect(lines.count == 4)
    }
}
