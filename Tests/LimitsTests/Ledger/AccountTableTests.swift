import Engine
import Testing

@testable import Limits

/// Tests of callers that invent keys, beside callers with a key.
@Suite struct AccountTableTests {
    private let day = Limit(.caller(.chat), Quota(5, per: .day))
    private let clock = TestClock()

    private func used(_ limiter: Limiter, _ limit: Limit, _ identity: Identity, units: Int = 1) -> Bool {
        limiter.reserveInMemory([LimitCharge(limit, identity, units: units)])?.decision.isAdmitted ?? false
    }

    private func digest(_ text: String) -> Digest { Digest(of: text) }

    @Test("made-up keys and addresses do not push a known key out")
    func known() {
        let limiter = Limiter(store: nil, LimiterOptions(bytes: 1 << 20), clock: clock.clock)
        #expect(used(limiter, day, .knownKey(named: "KNOWN")))
        for number in 0..<4_000 {
            clock.advance(microseconds: 10)
            _ = used(limiter, day, .passedKey(digest("\(number)")))
            _ = used(limiter, day, .address("\(number)"))
        }
        #expect(limiter.metrics().accounts < 1_000, "the table is bounded")
        #expect(!used(limiter, day, .knownKey(named: "KNOWN"), units: 5))
    }

    @Test("within a part the one that used least goes first")
    func leastUsed() {
        let limiter = Limiter(store: nil, LimiterOptions(bytes: 1 << 20), clock: clock.clock)
        #expect(used(limiter, day, .passedKey(digest("honest")), units: 4))
        for number in 0..<4_000 {
            clock.advance(microseconds: 10)
            _ = used(limiter, day, .passedKey(digest("\(number)")))
        }
        #expect(!used(limiter, day, .passedKey(digest("honest")), units: 2))
    }

    @Test("wrong keys of one address are counted on, whoever else comes")
    func failures() {
        let limiter = Limiter(store: nil, LimiterOptions(bytes: 1 << 20), clock: clock.clock)
        let wrong = Limit(.failedAuth, Quota(20, per: .minute))
        #expect(used(limiter, wrong, .address("guesser")))
        for number in 0..<4_000 {
            clock.advance(microseconds: 10)
            _ = used(limiter, day, .passedKey(digest("\(number)")))
        }
        #expect(!used(limiter, wrong, .address("guesser"), units: 20))
    }

    @Test("made-up sessions of one caller push out its least used ones, but no other caller's, no key and no address")
    func sessions() throws {
        let limiter = Limiter(store: nil, LimiterOptions(bytes: 1 << 20), clock: clock.clock)
        let session = Limit(.session, Quota(5, per: .day))
        let flooding = Identity.knownKey(named: "FLOODING")
        let others = (0..<100).map { Identity.knownKey(named: "OTHER\($0)") }
        let own = digest("own")
        let other = try #require(
            others.first { $0.inSession(own).sessionPart != flooding.inSession(own).sessionPart }
        )
        #expect(used(limiter, session, flooding.inSession(own), units: 3))
        #expect(used(limiter, session, other.inSession(own)))
        #expect(used(limiter, day, .passedKey(own)) && used(limiter, day, .address("honest")))
        for number in 0..<4_000 {
            clock.advance(microseconds: 10)
            _ = used(limiter, session, flooding.inSession(digest("\(number)")))
        }
        #expect(limiter.metrics().accounts < 1_000, "the table is bounded")
        #expect(!used(limiter, session, flooding.inSession(own), units: 3))
        for identity in [other.inSession(own), .passedKey(own), .address("honest")] {
            #expect(!used(limiter, identity.sessionPart == nil ? day : session, identity, units: 5))
        }
    }
}
