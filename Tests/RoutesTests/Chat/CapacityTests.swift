import Support
import Testing

/// Tests of the capacity that calls take: slots, and permits to start a call.
@Suite struct CapacityTests {
    private static let both = [false, true]

    @Test("a request waits for a slot, and is then served", arguments: both)
    func waits(isStreamed: Bool) async {
        await ScriptedRelay.run(["CONCURRENCY=1"], "QUEUE_TIMEOUT=30") { relay in
            relay.a.follow([.text("first"), .wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            let second = relay.send(isStreamed: isStreamed)
            await relay.pass(milliseconds: 5_000)
            #expect(relay.a.calls.count == 1 && !second.isDone && second.received.status == 0)
            relay.a.goOn()
            let (one, other) = (await relay.end(of: first), await relay.end(of: second))
            #expect(one.status == 200 && other.status == 200 && other.body.contains("from a"))
            #expect(relay.a.endings == [.complete, .complete])
        }
    }

    @Test("without a slot in time, the request fails with 429 and no call", arguments: both, [0, 5])
    func shortage(isStreamed: Bool, queueSeconds: Int) async {
        await ScriptedRelay.run(["CONCURRENCY=1"], "QUEUE_TIMEOUT=\(queueSeconds)") { relay in
            relay.a.follow([.text("first"), .wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            let second = relay.send(isStreamed: isStreamed)
            if queueSeconds > 0 {
                await relay.pass(milliseconds: 4_900)
                #expect(!second.isDone)
                await relay.pass(milliseconds: 200)
            }
            let refused = await relay.end(of: second)
            #expect(refused.status == 429 && refused.field("Retry-After") == "1")
            #expect(refused.body.contains("capacity") && relay.a.calls.count == 1)
            relay.a.goOn()
            #expect(await relay.end(of: first).status == 200)
        }
    }

    @Test("a full candidate is passed over", arguments: both)
    func passedOver(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 CONCURRENCY=1", "PRIORITY=2"], "QUEUE_TIMEOUT=30") { relay in
            relay.a.follow([.text("first"), .wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            #expect(await relay.response(isStreamed: isStreamed).provider == "b")
            relay.a.goOn()
            _ = await relay.end(of: first)
            #expect(await relay.response(isStreamed: isStreamed).provider == "a")
        }
    }

    @Test("after a failure, a request waits for the full candidate, and not for the failed one", arguments: both)
    func fullAndFailed(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2 CONCURRENCY=1"], "QUEUE_TIMEOUT=30") { relay in
            relay.a.follow([.refuse(500, "broken")], [.refuse(500, "broken")])
            relay.b.follow([.text("first"), .wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.b.calls.count == 1 }
            let second = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 2 }
            await relay.pass(milliseconds: 1_000)
            #expect(!second.isDone && relay.a.calls.count == 2 && relay.b.calls.count == 1)
            relay.b.goOn()
            _ = await relay.end(of: first)
            let response = await relay.end(of: second)
            #expect(response.provider == "b" && relay.a.calls.count == 2 && relay.b.calls.count == 2)
        }
    }

    @Test("a failed call has freed its slot while the next candidate serves", arguments: both)
    func failedSlot(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 CONCURRENCY=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(500, "broken")])
            relay.b.follow([.wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.b.calls.count == 1 }
            #expect(await relay.response(isStreamed: isStreamed).provider == "a")
            relay.b.goOn()
            #expect(await relay.end(of: first).provider == "b")
        }
    }

    @Test("a request that waits for capacity keeps the deadline", arguments: both)
    func deadline(isStreamed: Bool) async {
        let settings = "QUEUE_TIMEOUT=30 FALLBACK_DEADLINE=2"
        await ScriptedRelay.run(["PRIORITY=1 CONCURRENCY=1", "PRIORITY=2 CONCURRENCY=1"], settings) { relay in
            relay.a.follow([.text("first"), .wait])
            relay.b.follow([.text("first"), .wait])
            let running = [relay.send(isStreamed: true), relay.send(isStreamed: true)]
            await relay.until { running.allSatisfy { $0.received.body.contains("first") } }
            let waiting = relay.send(isStreamed: isStreamed)
            await relay.pass(milliseconds: 1_900)
            #expect(!waiting.isDone)
            await relay.pass(milliseconds: 200)
            #expect(await relay.end(of: waiting).status == 429)
            #expect(relay.a.calls.count == 1 && relay.b.calls.count == 1)
        }
    }

    // MARK: Permits

    @Test("each key has its permits per second", arguments: both)
    func permits(isStreamed: Bool) async {
        await ScriptedRelay.run(["QPS=1 API_KEYS=a1,a2"]) { relay in
            var statuses: [Int] = []
            for _ in 0..<3 { statuses.append(await relay.response(isStreamed: isStreamed).status) }
            #expect(statuses == [200, 200, 429] && relay.a.keys == ["a1", "a2"])
            await relay.pass(milliseconds: 2_010)
            #expect(await relay.response(isStreamed: isStreamed).status == 200)
        }
    }

    @Test("a retry takes a permit of its own", arguments: both, [1, 2])
    func retries(isStreamed: Bool, permits: Int) async {
        await ScriptedRelay.run(["PRIORITY=1 RETRIES=1 QPS=\(permits)", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(500, "broken")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.provider == (permits == 1 ? "b" : "a") && relay.a.calls.count == permits)
        }
    }

    @Test("a call with a changed request takes a permit of its own", arguments: both, [1, 2])
    func quirks(isStreamed: Bool, permits: Int) async {
        await ScriptedRelay.run(["PRIORITY=1 QPS=\(permits)", "PRIORITY=2"]) { relay in
            let refusal = "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            relay.a.follow([.refuse(400, "\(refusal)'max_completion_tokens' instead.")])
            let response = await relay.response(isStreamed: isStreamed, "hello", #","max_tokens":9"#)
            #expect(response.provider == (permits == 1 ? "b" : "a") && relay.a.calls.count == permits)
        }
    }
}
