import Engine
import Support
import Testing

@testable import Upstream

@Suite struct KeyRingTests {
    private func label(_ ring: KeyRing, _ seconds: UInt64) -> String? { ring.next(at: .seconds(seconds)).label }

    @Test("keys are used by their weights")
    func weights() {
        let ring = KeyRing(["a", "b", "c"], weights: [5, 1, 1])
        let labels = (0..<7).map { _ in label(ring, 0) ?? "" }.joined()
        #expect(labels == "k1k1k1k1k1k2k3")
    }

    @Test("a key that failed rests, and one call tries it after that")
    func cooldowns() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        let first = ring.next(at: 0)
        ring.failed(first, .reported(seconds: 30), begun: 0, at: 0)
        #expect((0..<3).map { _ in label(ring, 29) } == ["k2", "k2", "k2"])
        let trial = (0..<4).map { _ in label(ring, 30) }
        #expect(trial.count { $0 == "k1" } == 1)
        ring.served(first, begun: .distantFuture)
        #expect(Set((0..<2).map { _ in label(ring, 31) }) == ["k1", "k2"])
    }

    @Test("a trial that comes to nothing is another's, and one without an end holds nobody up for ever")
    func trials() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        let first = ring.next(at: 0)
        ring.failed(first, .fixed(seconds: 300), begun: 0, at: 0)
        #expect((0..<4).count { _ in label(ring, 300) == "k1" } == 1)
        ring.failed(first, nil, begun: .seconds(301), at: .seconds(301))
        #expect((0..<4).count { _ in label(ring, 301) == "k1" } == 1)
        #expect((0..<4).count { _ in label(ring, 360) == "k1" } == 0)
        #expect((0..<4).count { _ in label(ring, 361) == "k1" } == 1)
    }

    @Test("while requests wait for a key, its calls begin again by rounds of twice as many")
    func rounds() {
        let ring = KeyRing(["a"], weights: [1])
        ring.cooldownRingCount.areAwaited = true
        let key = ring.next(at: 0)
        ring.failed(key, .reported(seconds: 30), begun: 0, at: 0)
        let now = LoopTime.seconds(30)
        func begin() -> Int {
            var begun = 0
            while begun < 600, ring.next(at: now, besides: []) != nil { begun += 1 }
            return begun
        }
        #expect(ring.next(at: .seconds(29), besides: []) == nil)
        for round in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
            #expect(begin() == round, "no more at once")
            for _ in 0..<round { ring.served(key, begun: now) }
        }
        #expect(!ring.hasCooldowns && begin() == 600)
        // One call of a round is refused: a new cooldown, and one call again. Those that run on tell nothing of it.
        ring.failed(key, .reported(seconds: 5), begun: now, at: now)
        ring.served(key, begun: .seconds(29))
        #expect(begin() == 0 && ring.hasCooldowns)
        #expect(ring.next(at: .seconds(35), besides: []) != nil && ring.next(at: .seconds(35), besides: []) == nil)
        ring.failed(key, nil, begun: .seconds(35), at: .seconds(36))
        #expect(ring.next(at: .seconds(36), besides: []) != nil, "a call that failed otherwise is no trial")
    }

    @Test("rests double in a row, up to a bound, and begin anew after a served call")
    func doubles() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        let first = ring.next(at: 0)
        var now: UInt64 = 0
        var lengths: [UInt64] = []
        for _ in 0..<8 {
            ring.failed(
                first,
                .doubling(fromSeconds: 1, toSeconds: 60),
                begun: .seconds(now),
                at: .seconds(now)
            )
            let start = now
            while !(0..<2).contains(where: { _ in label(ring, now) == "k1" }) { now += 1 }
            lengths.append(now - start)
        }
        #expect(lengths == [1, 2, 4, 8, 16, 32, 60, 60])
        ring.served(first, begun: .distantFuture)
        ring.failed(first, .doubling(fromSeconds: 1, toSeconds: 60), begun: .seconds(now), at: .seconds(now))
        #expect((0..<2).contains { _ in label(ring, now + 1) == "k1" })
    }

    @Test("calls that are older than a rest neither end it nor make it shorter")
    func olderCalls() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        let first = ring.next(at: 0)
        ring.failed(first, .reported(seconds: 30), begun: 0, at: .seconds(2))
        ring.served(first, begun: .seconds(1))
        ring.failed(first, .reported(seconds: 1), begun: .seconds(1), at: .seconds(3))
        ring.failed(first, nil, begun: .seconds(1), at: .seconds(3))
        #expect((0..<3).map { _ in label(ring, 31) } == ["k2", "k2", "k2"])
        ring.failed(first, .reported(seconds: 40), begun: .seconds(1), at: .seconds(4))
        #expect((0..<3).map { _ in label(ring, 43) } == ["k2", "k2", "k2"])
        #expect((0..<4).count { _ in label(ring, 44) == "k1" } == 1)
    }

    @Test("calls at the same time that fail are one failure")
    func atOnce() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        let first = ring.next(at: 0)
        for _ in 0..<5 { ring.failed(first, .doubling(fromSeconds: 1, toSeconds: 60), begun: 0, at: 0) }
        #expect((0..<2).contains { _ in label(ring, 1) == "k1" })
    }

    @Test("if all keys rest, the one that is due first is asked; no vendor's word lets one rest for ever")
    func allRest() {
        let ring = KeyRing(["a", "b"], weights: [1, 1])
        ring.failed(Credential(own: "a", label: "k1"), .reported(seconds: .max), begun: 0, at: 0)
        ring.failed(Credential(own: "b", label: "k2"), .reported(seconds: 90), begun: 0, at: 0)
        #expect(!ring.isAvailable(at: 0) && label(ring, 0) == "k2")
        let single = KeyRing(["a"], weights: [1])
        single.failed(single.next(at: 0), .reported(seconds: .max), begun: 0, at: 0)
        #expect(!single.isAvailable(at: .seconds(86_399)) && single.isAvailable(at: .seconds(86_400)))
    }
}
