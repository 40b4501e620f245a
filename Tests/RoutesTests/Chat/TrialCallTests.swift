import Support
import Testing

/// Tests of a candidate's circuit breaker: which requests are trial calls, and how they end.
@Suite struct TrialCallTests {
    private static let both = [false, true]

    /// Runs a test on a relay whose candidate `a` has a half-open circuit breaker. The candidate `b` comes after it.
    private func halfOpen(
        _ settings: String = "",
        _ test: @escaping @Sendable (ScriptedRelay) async -> Void
    ) async {
        await ScriptedRelay.run(["PRIORITY=1 \(settings)", "PRIORITY=2"], "BREAKER_FAILURES=1 BREAKER_SECONDS=60") {
            (relay) in
            relay.a.follow([.refuse(500, "broken")])
            let first = await relay.response()
            #expect(first.provider == "b")
            // The circuit breaker is open.
            let second = await relay.response()
            #expect(second.provider == "b" && relay.a.calls.count == 1)
            await relay.pass(milliseconds: 60_010)
            await test(relay)
        }
    }

    @Test("exactly one request is the trial call", arguments: both)
    func one(isStreamed: Bool) async {
        await halfOpen { relay in
            relay.a.follow([.wait])
            let trial = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 2 }
            for _ in 0..<3 {
                let other = await relay.response(isStreamed: isStreamed)
                #expect(other.provider == "b")
            }
            #expect(relay.a.calls.count == 2)
            relay.a.goOn()
            let response = await relay.end(of: trial)
            #expect(response.status == 200 && relay.a.endings == [.failed, .complete])
            // The success has closed the circuit breaker: two calls may run at once.
            relay.a.follow([.wait], [.wait])
            _ = relay.send(isStreamed: isStreamed)
            _ = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 4 }
        }
    }

    @Test("a trial call that fails opens the circuit breaker again", arguments: both)
    func failed(isStreamed: Bool) async {
        await halfOpen { relay in
            relay.a.follow([.refuse(500, "broken")])
            let trial = await relay.response(isStreamed: isStreamed)
            #expect(trial.provider == "b" && relay.a.calls.count == 2)
            await relay.pass(milliseconds: 50_000)
            let other = await relay.response(isStreamed: isStreamed)
            #expect(other.provider == "b" && relay.a.calls.count == 2)
            await relay.pass(milliseconds: 10_010)
            let next = await relay.response(isStreamed: isStreamed)
            #expect(next.provider == "a")
        }
    }

    @Test("a client that leaves ends the trial call, and the next request is one", arguments: both)
    func left(isStreamed: Bool) async {
        await halfOpen { relay in
            relay.a.follow([.wait], [.wait])
            let trial = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 2 }
            trial.leave()
            _ = await relay.end(of: trial)
            #expect(relay.a.endings.last == .dropped)
            let next = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 3 }
            let other = await relay.response(isStreamed: isStreamed)
            #expect(other.provider == "b" && relay.a.calls.count == 3)
            relay.a.goOn()
            let response = await relay.end(of: next)
            #expect(response.provider == "a")
        }
    }

    @Test("a stream that has begun ends the trial call, but is no success yet")
    func begun() async {
        await halfOpen { relay in
            relay.a.follow([.text("begun"), .wait, .breakOff])
            let trial = relay.send(isStreamed: true)
            await relay.until { trial.received.body.contains("begun") }
            // The next trial call need not wait for the end of this stream.
            let next = await relay.response()
            #expect(next.provider == "a")
            relay.a.goOn()
            _ = await relay.end(of: trial)
        }
    }

    @Test("a request that the candidate cannot serve is no trial call", arguments: both)
    func unfit(isStreamed: Bool) async {
        await halfOpen("MODEL_INFO=m=context:50") { relay in
            let long = await relay.response(isStreamed: isStreamed, String(repeating: "long ", count: 200))
            #expect(long.provider == "b" && relay.a.calls.count == 1)
            let next = await relay.response(isStreamed: isStreamed)
            #expect(next.provider == "a")
        }
    }

    @Test("a candidate without capacity makes no trial call", arguments: both)
    func full(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 QPS=1", "PRIORITY=2"], "BREAKER_FAILURES=1 BREAKER_SECONDS=0.5") {
            (relay) in
            relay.a.follow([.refuse(500, "broken")])
            _ = await relay.response(isStreamed: isStreamed)
            await relay.pass(milliseconds: 600)
            let full = await relay.response(isStreamed: isStreamed)
            #expect(full.provider == "b" && relay.a.calls.count == 1)
            await relay.pass(milliseconds: 1_000)
            let next = await relay.response(isStreamed: isStreamed)
            #expect(next.provider == "a")
        }
    }
}
