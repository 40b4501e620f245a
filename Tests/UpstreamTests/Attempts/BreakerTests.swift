import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct BreakerTests {
    private static let second: UInt64 = 1_000_000_000

    private func broken(_ times: [UInt64], bound: Int = 3, seconds: UInt64 = 60) -> Breaker {
        var breaker = Breaker()
        for time in times { breaker.failed(at: .seconds(time), bound: bound, within: seconds * Self.second) }
        return breaker
    }

    @Test("failures in a row within the time open it for that long")
    func opens() {
        #expect(!broken([1, 2]).isOpen(at: .seconds(3)))
        #expect(broken([1, 2, 3]).isOpen(at: .seconds(3)))
        #expect(broken([1, 2, 3]).isOpen(at: .seconds(62)))
        #expect(!broken([1, 2, 3]).isOpen(at: .seconds(63)))
        #expect(!broken([1, 2, 62]).isOpen(at: .seconds(62)))
        // The last three failures are in a row; the first one does not belong to it.
        #expect(broken([1, 50, 70, 80]).isOpen(at: .seconds(80)))
        #expect(broken([5], bound: 1).isOpen(at: .seconds(6)))
    }

    @Test("failures count though another loop, whose clock reading is later, recorded its own before")
    func readingsInAnyOrder() {
        #expect(broken([10, 9, 8]).isOpen(at: .seconds(8)))
    }

    @Test("a rest is for its time, and counts as no failure")
    func cooldowns() {
        var breaker = broken([1])
        breaker.rest(at: .seconds(2), seconds: 5)
        #expect(breaker.isOpen(at: .seconds(6)) && !breaker.isOpen(at: .seconds(7)))
        breaker.failed(at: .seconds(8), bound: 3, within: 60 * Self.second)
        #expect(!breaker.isOpen(at: .seconds(8)))
    }

    @Test("one tries it, the others wait for the outcome; a failure opens it again")
    func trial() {
        var breaker = broken([1, 2, 3])
        breaker.tryOnce(at: .seconds(10))
        #expect(!breaker.isOpen(at: .seconds(63)))
        breaker.tryOnce(at: .seconds(63))
        #expect(breaker.isOpen(at: .seconds(63)))
        // Others may try it when the trial call has ended, or after a minute without an outcome.
        #expect(breaker.openEnd(at: .seconds(64)) == .seconds(123))
        breaker.failed(at: .seconds(64), bound: 3, within: 60 * Self.second)
        #expect(breaker.isOpen(at: .seconds(123)) && !breaker.isOpen(at: .seconds(124)))
        breaker.tryOnce(at: .seconds(124))
        breaker.endTrial()
        #expect(!breaker.isOpen(at: .seconds(124)))
        breaker.tryOnce(at: .seconds(124))
        #expect(breaker.isOpen(at: .seconds(183)) && !breaker.isOpen(at: .seconds(184)))
    }

    /// Returns the names that were called in each of several requests.
    private func asked(_ body: @escaping @Sendable (Scene, ManualClock) async -> [AskedProvider]) async -> [String] {
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
