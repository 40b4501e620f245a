import Calls
import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct BreakerTests {
    private static let second: UInt64 = 1_000_000_000

    private func broken(_ times: [UInt64], bound: Int = 3, seconds: UInt64 = 60) -> Breaker {
        var breaker = Breaker()
        for time in times { breaker.failed(at: time * Self.second, bound: bound, within: seconds * Self.second) }
        return breaker
    }

    @Test("failures in a row within the time open it for that long")
    func opens() {
        #expect(!broken([1, 2]).isOpen(at: 3 * Self.second))
        #expect(broken([1, 2, 3]).isOpen(at: 3 * Self.second))
        #expect(broken([1, 2, 3]).isOpen(at: 62 * Self.second))
        #expect(!broken([1, 2, 3]).isOpen(at: 63 * Self.second))
        #expect(!broken([1, 2, 62]).isOpen(at: 62 * Self.second))
        // The last three are; the first was no beginning of a row of its own.
        #expect(broken([1, 50, 70, 80]).isOpen(at: 80 * Self.second))
        #expect(broken([5], bound: 1).isOpen(at: 6 * Self.second))
    }

    @Test("a rest is for its time, and counts as no failure")
    func rests() {
        var breaker = broken([1])
        breaker.rest(at: 2 * Self.second, nanoseconds: 5 * Self.second)
        #expect(breaker.isOpen(at: 6 * Self.second) && !breaker.isOpen(at: 7 * Self.second))
        breaker.failed(at: 8 * Self.second, bound: 3, within: 60 * Self.second)
        #expect(!breaker.isOpen(at: 8 * Self.second))
    }

    @Test("one tries it, the others wait for the outcome; a failure opens it again")
    func trial() {
        var breaker = broken([1, 2, 3])
        breaker.tryOnce(at: 10 * Self.second)
        #expect(!breaker.isOpen(at: 63 * Self.second))
        breaker.tryOnce(at: 63 * Self.second)
        #expect(breaker.isOpen(at: 63 * Self.second))
        breaker.failed(at: 64 * Self.second, bound: 3, within: 60 * Self.second)
        #expect(breaker.isOpen(at: 123 * Self.second) && !breaker.isOpen(at: 124 * Self.second))
        breaker.tryOnce(at: 124 * Self.second)
        breaker.endTrial()
        #expect(!breaker.isOpen(at: 124 * Self.second))
        breaker.tryOnce(at: 124 * Self.second)
        #expect(breaker.isOpen(at: 183 * Self.second) && !breaker.isOpen(at: 184 * Self.second))
    }

    /// The names that were asked in each of several requests.
    private func asked(_ body: @escaping @Sendable (Scene, ManualClock) async -> [Asked]) async -> [String] {
        let clock = ManualClock()
        return await onLoop(clock.loop()) { loop in
            let settings = "BREAKER_FAILURES=2\nBREAKER_SECONDS=60"
            return await body(Scene(["", ""], settings, on: loop), clock).map { $0.names.joined(separator: " ") }
        }
    }

    @Test("a broken candidate is asked last, then once for trial, and again as before once it has served")
    func requests() async {
        let names = await asked { scene, clock in
            let fault = ["v0": [UpstreamError.scripted(.failed)]]
            var asked = [await scene.ask(fault), await scene.ask(), await scene.ask(fault)]
            asked += [await scene.ask(), await scene.ask(["v1": [.scripted(.unavailable)]])]
            clock.advance(milliseconds: 60_000)
            await scene.loop.sleep(nanoseconds: 0)
            asked += [await scene.ask(fault), await scene.ask()]
            clock.advance(milliseconds: 60_000)
            await scene.loop.sleep(nanoseconds: 0)
            asked += [await scene.ask(), await scene.ask(), await scene.ask()]
            return asked
        }
        #expect(names == ["v0 v1", "v1", "v0 v1", "v1", "v1 v0", "v0 v1", "v1", "v0", "v1", "v0"])
    }

    @Test("failures of keys do not break it")
    func keys() async {
        let names = await asked { scene, _ in
            let fault = ["v0": [UpstreamError.scripted(.rateLimited)]]
            var asked = [await scene.ask(fault), await scene.ask(), await scene.ask(fault)]
            asked += [await scene.ask(), await scene.ask()]
            return asked
        }
        #expect(names == ["v0 v1", "v1", "v0 v1", "v1", "v0"])
    }
}
