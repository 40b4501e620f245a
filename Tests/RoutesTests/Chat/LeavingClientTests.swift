import Support
import Testing

/// Tests of what a client that leaves ends: the call to the vendor, the bill of the call, and the slots.
@Suite struct LeavingClientTests {
    /// A point at which the client leaves. The vendor then waits.
    enum Point: String, CaseIterable, Sendable {
        case beforeHead
        case afterHead
        case afterFirstEvent

        fileprivate var script: [CallStep] {
            switch self {
            case .beforeHead: [.wait]
            case .afterHead: [.head, .wait]
            case .afterFirstEvent: [.text("begun"), .wait]
            }
        }
    }

    @Test(
        "the call is dropped and billed once, and its slots are free",
        arguments: [false, true],
        ["", "RETRIES=1", "CONCURRENCY=1 QPS=9 API_KEYS=a1,a2"]
    )
    func left(isStreamed: Bool, settings: String) async {
        for point in Point.allCases {
            await ScriptedRelay.run([settings], "KEY_TEAM_RATE_LIMIT=1~concurrent") { relay in
                relay.a.follow(point.script)
                let client = relay.send(isStreamed: isStreamed)
                await relay.until { relay.a.calls.count == 1 }
                if isStreamed, point == .afterFirstEvent {
                    await relay.until { client.received.body.contains("begun") }
                }
                await relay.settle()
                #expect(await relay.response().status == 429, "the caller's only slot is taken")
                client.leave()
                _ = await relay.end(of: client)
                #expect(relay.a.endings == [.dropped], "\(point)")
                for _ in 0..<3 {
                    let next = await relay.response(isStreamed: isStreamed)
                    #expect(next.status == 200, "\(point) \(next.body)")
                }
                let records = relay.records()
                #expect(records.calls.map(\.isSuccess) == [false, true, true, true], "\(point)")
                #expect(records.requests.map(\.isSuccess) == [false, false, true, true, true], "\(point)")
                // The vendor may bill the prompt of a dropped call.
                #expect(records.calls[0].promptTokens > 0 && records.requests[1].promptTokens > 0, "\(point)")
            }
        }
    }

    @Test("no other candidate is called for a client that has left", arguments: [false, true], Point.allCases)
    func noFallback(isStreamed: Bool, point: Point) async {
        await ScriptedRelay.run(["PRIORITY=1 RETRIES=2 API_KEYS=a1,a2", "PRIORITY=2"], "BREAKER_FAILURES=1") { relay in
            relay.a.follow(point.script)
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            await relay.settle()
            #expect(relay.a.endings == [.dropped] && relay.b.calls.isEmpty)
            // Neither the provider nor the key has failed.
            #expect(await relay.response(isStreamed: isStreamed).provider == "a")
            #expect(relay.records().calls.count == 2)
        }
    }

    @Test("a client that leaves the queue for capacity has made no call", arguments: [false, true])
    func queued(isStreamed: Bool) async {
        await ScriptedRelay.run(["CONCURRENCY=1"], "QUEUE_TIMEOUT=30") { relay in
            relay.a.follow([.text("first"), .wait])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            let second = relay.send(isStreamed: isStreamed)
            let third = relay.send(isStreamed: isStreamed)
            await relay.settle()
            second.leave()
            _ = await relay.end(of: second)
            #expect(relay.a.calls.count == 1 && !third.isDone)
            relay.a.goOn()
            _ = await relay.end(of: first)
            #expect(await relay.end(of: third).status == 200)
            let records = relay.records()
            #expect(records.calls.count == 2 && records.requests.count == 3)
            #expect(records.requests.first { !$0.isSuccess }?.attempts == 0)
        }
    }

    @Test("a client that leaves during the pause before a repetition ends the request", arguments: [false, true])
    func paused(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 CONCURRENCY=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(400, "again", code: "tool_use_failed")])
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            await relay.pass(milliseconds: 1_000)
            #expect(relay.a.calls.count == 1 && relay.b.calls.isEmpty)
            #expect(await relay.response(isStreamed: isStreamed).provider == "a")
            let records = relay.records()
            #expect(records.calls.map(\.isSuccess) == [false, true])
            // The refused call is free, and no other was made.
            #expect(records.requests.map(\.promptTokens) == [0, 7] && records.requests.map(\.attempts) == [1, 1])
        }
    }

    @Test(
        "a client that leaves while the vendor fails causes no other call",
        arguments: [false, true],
        ["PRIORITY=1", "PRIORITY=1 API_KEYS=a1,a2", "PRIORITY=1 RETRIES=1"]
    )
    func leftInTheTurnOfAFailure(isStreamed: Bool, settings: String) async {
        await ScriptedRelay.run([settings, "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(500, "broken")])
            let client = relay.send(isStreamed: isStreamed)
            relay.a.refused = { client.leave() }
            _ = await relay.end(of: client)
            await relay.settle()
            #expect(relay.a.calls.count == 1 && relay.b.calls.isEmpty)
            #expect(relay.records().calls.map(\.isSuccess) == [false])
        }
    }

    @Test("a client that leaves between two calls ends the request", arguments: [false, true])
    func betweenCalls(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2 CONCURRENCY=1"], "QUEUE_TIMEOUT=30") { relay in
            relay.b.follow([.text("first"), .wait])
            relay.a.follow([.refuse(500, "broken")], [.refuse(500, "broken")])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.b.calls.count == 1 }
            let second = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 2 }
            await relay.settle()
            second.leave()
            _ = await relay.end(of: second)
            relay.b.goOn()
            _ = await relay.end(of: first)
            await relay.settle()
            #expect(relay.a.calls.count == 2 && relay.b.calls.count == 1)
            #expect(relay.records().calls.count == 3)
        }
    }
}
