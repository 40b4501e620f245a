import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct CandidatesTests {
    private typealias Failures = [String: [UpstreamError]]

    /// Makes one request to three providers.
    private func asked(_ failures: Failures, _ settings: String = "") async -> AskedProvider {
        await onLoop { loop in await Scene(["", "", ""], settings, on: loop).ask(failures) }
    }

    @Test("the next is asked for what another may not have; if none serves, all failures are told")
    func order() async {
        let served = await asked(["v0": [.scripted(.failed)], "v1": [.scripted(.unavailable)]])
        #expect(served.names == ["v0", "v1", "v2"] && served.failure == nil)
        #expect(served.attempts == 3 && served.noted == 2)
        let none = await asked([
            "v0": [.scripted(.rateLimited)], "v1": [.scripted(.timedOut)], "v2": [.scripted(.unavailable)],
        ])
        #expect(none.failure == .unavailable)
        #expect(none.summary == "v0: 429 rate limited; v1: timeout; v2: 503 unavailable")
    }

    @Test("a rate limit is the failure only if all failures were that")
    func limits() async {
        let all = await asked([
            "v0": [.scripted(.outOfCredit)], "v1": [.scripted(.rateLimited)], "v2": [.scripted(.outOfCredit)],
        ])
        #expect(all.failure == .rateLimited)
        let mixed = await asked([
            "v0": [.scripted(.timedOut)], "v1": [.scripted(.failed)], "v2": [.scripted(.rateLimited)],
        ])
        #expect(mixed.failure == .failed)
        let last = await asked([
            "v0": [.scripted(.rateLimited)], "v1": [.scripted(.failed)], "v2": [.scripted(.timedOut)],
        ])
        #expect(last.failure == .timedOut)
    }

    @Test(
        "a client that may come back is told the shortest of the times that the providers say",
        arguments: [
            ([(.unavailable, 10), (.unavailable, 60)], 10), ([(.rateLimited, 5), (.unavailable, 60)], 5),
            ([(.unavailable, 60), (.rateLimited, nil)], 1), ([(.unavailable, 60), (.unavailable, nil)], 60),
            ([(.timedOut, 1), (.unavailable, 60)], 60), ([(.unavailable, 60), (.failed, nil)], nil),
        ] as [([(UpstreamError.Kind, Int?)], Int?)]
    )
    func shortestWait(_ failures: [(UpstreamError.Kind, Int?)], expected: Int?) async {
        let pairs = failures.enumerated().map { ("v\($0)", [UpstreamError.scripted($1.0, retryAfter: $1.1)]) }
        let asked = await onLoop { loop in
            await Scene(["", ""], on: loop).ask(Dictionary(uniqueKeysWithValues: pairs))
        }
        #expect(asked.retryAfterSeconds == expected)
    }

    @Test("nobody else is asked for what is the caller's", arguments: [UpstreamError.Kind.badRequest, .cancelled])
    func ends(_ kind: UpstreamError.Kind) async {
        let outcome = await asked(["v0": [.scripted(kind)]])
        #expect(outcome.names == ["v0"] && outcome.failure == kind && outcome.summary == nil)
    }

    @Test("where the relay has no time, nobody else is asked, nothing is repeated, and no key or breaker rests")
    func busyRelay() async throws {
        let error = await onLoop { _ in UpstreamError.tooMuchWork }
        let asked = await onLoop { loop in
            let scene = Scene(["RETRIES=2", "PRIORITY=2"], keys: [0: KeyRing(["a"], weights: [1])], on: loop)
            var asked: [AskedProvider] = []
            for _ in 0..<20 { asked.append(await scene.ask(["v0": [error]])) }
            return asked
        }
        #expect(asked.map(\.names) == Array(repeating: ["v0.k1"], count: 20))
        #expect(asked.allSatisfy { $0.failure == .unavailable && $0.summary == nil })
        let reported = APIError(error, model: "m")
        #expect((reported.status, reported.code, reported.retryAfterSeconds) == (503, "overloaded", 1))
    }

    @Test("FALLBACK=false ends after the first, FALLBACK_ATTEMPTS after as many")
    func caps() async {
        let all: Failures = ["v0": [.scripted(.failed)], "v1": [.scripted(.failed)], "v2": [.scripted(.failed)]]
        #expect(await asked(all, "FALLBACK=false").names == ["v0"])
        #expect(await asked(all, "FALLBACK_ATTEMPTS=2").names == ["v0", "v1"])
        #expect(await asked(all).names == ["v0", "v1", "v2"])
    }

    @Test("the same is tried more often where the settings say so, but not for what will not pass")
    func retries() async {
        let names = await onLoop { loop in
            let scene = Scene(["RETRIES=2", ""], on: loop)
            var names = [await scene.ask(["v0": [.scripted(.failed)]]).names]
            _ = await scene.ask()
            names.append(await scene.ask(["v0": [.scripted(.unknownModel)]]).names)
            return names
        }
        #expect(names == [["v0", "v0", "v0", "v1"], ["v0", "v1"]])
    }

    @Test("after the deadline nobody else is asked")
    func deadline() async {
        let clock = ManualClock()
        let names = await onLoop(clock.loop()) { loop in
            let scene = Scene(["", ""], "FALLBACK_DEADLINE=1s", on: loop)
            let attempts = scene.candidates.attempts(billing: anyLedger())
            var names: [String] = []
            while let index = await attempts.next() {
                _ = await attempts.call(scene.candidates[index])
                names.append("v\(index)")
                clock.advance(milliseconds: 1_000)
                await loop.sleep(nanoseconds: 0)
                do throws(UpstreamError) { try attempts.failed(.scripted(.failed)) } catch { break }
            }
            return names
        }
        #expect(names == ["v0"])
    }

    @Test(
        "a failure of the key goes to the next key, then to the next provider",
        arguments: [UpstreamError.Kind.badKey, .forbidden, .outOfCredit, .rateLimited]
    )
    func keys(_ kind: UpstreamError.Kind) async {
        let asked = await onLoop { loop in
            let ring = KeyRing(["a", "b"], weights: [1, 1])
            let scene = Scene(["", ""], keys: [0: ring], on: loop)
            let first = await scene.ask(["v0": [.scripted(kind)]])
            // Both keys are in cooldown and are skipped.
            let second = await scene.ask()
            let third = await scene.ask(["v1": [.scripted(.failed)]])
            return [first, second, third]
        }
        #expect(asked.map(\.names) == [["v0.k1", "v0.k2", "v1"], ["v1"], ["v1", "v0.k1"]])
        #expect(asked[0].attempts == 3)
    }

    @Test("the next key is asked also with FALLBACK=false, and other providers are not")
    func keysWithoutFallback() async {
        let asked = await onLoop { loop in
            let ring = KeyRing(["a", "b"], weights: [1, 1])
            let scene = Scene(["", ""], "FALLBACK=false", keys: [0: ring], on: loop)
            return await scene.ask(["v0": [.scripted(.outOfCredit), .scripted(.outOfCredit)]])
        }
        #expect(asked.names == ["v0.k1", "v0.k2"] && asked.failure == .outOfCredit && asked.summary == nil)
    }

    @Test("in a round of trial calls of a key, each served call counts once: when its response begins")
    func rounds() async {
        let free = await onLoop { loop in
            let ring = KeyRing(["a"], weights: [1])
            ring.cooldownRingCount.areAwaited = true
            let start = loop.now
            ring.failed(ring.next(at: start), .reported(seconds: 1), begun: .distantPast, at: .distantPast)
            let scene = Scene([""], keys: [0: ring], on: loop)
            // The first call is a round. The second is one of two.
            for _ in 0..<2 { _ = await scene.ask() }
            var free = 0
            while ring.next(at: loop.now, besides: []) != nil { free += 1 }
            return free
        }
        #expect(free == 2)
    }

    @Test("a key's turn is taken by a call, not by being looked up")
    func turns() async {
        let keys = await onLoop { loop in
            let scene = Scene([""], keys: [0: KeyRing(["a", "b"], weights: [1, 1])], on: loop)
            var keys: [String] = []
            for _ in 0..<4 {
                _ = scene.candidates[0]
                keys.append(scene.candidates[0].unboundedCall(billing: anyLedger()).key)
            }
            return keys
        }
        #expect(keys == ["a", "b", "a", "b"])
    }
}

private func anyLedger() -> Billing { Admission(nil, holding: Limiter(store: nil).admitUncovered()).billing }
