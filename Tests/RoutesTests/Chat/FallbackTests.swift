import Support
import Testing

/// Tests of which candidate and key is called next after a failed call.
@Suite struct FallbackTests {
    private static let both = [false, true]

    @Test("a retry uses the same key", arguments: both)
    func sameKey(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2 RETRIES=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(500, "broken")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.status == 200 && response.body.contains("from a") && response.provider == "a")
            #expect(response.field("X-Relay-Attempts") == "2")
            #expect(relay.a.keys == ["a1", "a1"] && relay.b.keys == [])
            let records = relay.records()
            #expect(records.calls.map(\.key) == ["k1", "k1"] && records.calls.map(\.isSuccess) == [false, true])
            #expect(records.requests.map(\.attempts) == [2] && records.requests.map(\.completionTokens) == [2])
        }
    }

    @Test("a failure of the key is followed by the next key, and not by a retry", arguments: both)
    func nextKey(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2 RETRIES=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(401, "wrong key")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.status == 200 && response.body.contains("from a"))
            #expect(relay.a.keys == ["a1", "a2"] && relay.b.keys == [])
            // The refused key is in cooldown.
            _ = await relay.response(isStreamed: isStreamed)
            #expect(relay.a.keys == ["a1", "a2", "a2"])
            #expect(relay.records().calls.map(\.key) == ["k1", "k2", "k2"])
        }
    }

    @Test("each key is used once if the provider refuses it", arguments: both)
    func eachKey(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2,a3", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(401, "wrong key")], [.refuse(429, "slower")], [.refuse(401, "wrong key")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.provider == "b" && relay.a.keys == ["a1", "a2", "a3"])
            #expect(relay.records().calls.map(\.key) == ["k1", "k2", "k3", "k1"])
        }
    }

    @Test("a vendor that asks for a repetition gets one after a pause, with the same key", arguments: both)
    func pause(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(400, "again", code: "tool_use_failed")])
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            await relay.pass(milliseconds: 190)
            #expect(relay.a.calls.count == 1 && !client.isDone)
            await relay.pass(milliseconds: 20)
            #expect(await relay.end(of: client).provider == "a" && relay.a.keys == ["a1", "a1"])
            #expect(relay.records().calls.map(\.isSuccess) == [false, true])
        }
    }

    @Test("if the vendor cannot read its model's output twice, the prompt describes the tools", arguments: both)
    func unreadOutput(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"]) { relay in
            let tools = #","tools":[{"type":"function","function":{"name":"look_up"}}]"#
            for code in ["tool_use_failed", "json_validate_failed", "output_parse_failed"] {
                let failure = CallStep.refuse(400, "Failed. See 'failed_generation' for more.", code: code)
                relay.a.follow([failure], [failure])
                let count = relay.a.calls.count
                let client = relay.send(isStreamed: isStreamed, "hello", tools)
                await relay.until { relay.a.calls.count == count + 1 }
                await relay.pass(milliseconds: 210)
                #expect(await relay.end(of: client).provider == "a" && relay.a.calls.count == count + 3)
                #expect(relay.a.calls.suffix(3).map { $0.body.contains("# Tools") } == [false, false, true])
            }
        }
    }

    @Test("output that the vendor never reads ends with the next candidate", arguments: both)
    func neverRead(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"]) { relay in
            let failure = CallStep.refuse(400, "Failed.", code: "tool_use_failed")
            relay.a.follow([failure], [failure], [failure], [failure], [failure])
            let tools = #","tools":[{"type":"function","function":{"name":"look_up"}}]"#
            let client = relay.send(isStreamed: isStreamed, "hello", tools)
            for count in [1, 3] {
                await relay.until { relay.a.calls.count == count }
                await relay.pass(milliseconds: 210)
            }
            #expect(await relay.end(of: client).provider == "b" && relay.a.calls.count == 4)
        }
    }

    @Test("after the retries and the keys comes the next candidate", arguments: both)
    func nextCandidate(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2 RETRIES=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(500, "broken")], [.refuse(500, "broken")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.status == 200 && response.body.contains("from b") && response.provider == "b")
            #expect(relay.a.keys == ["a1", "a1"] && relay.b.keys == ["b1"])
            let records = relay.records()
            #expect(records.calls.map(\.provider) == ["a", "a", "b"])
            #expect(records.requests.map(\.provider) == ["b"] && records.requests.map(\.attempts) == [3])
        }
    }

    @Test("no other call follows a stream that breaks off after its first event", arguments: [1, 2])
    func brokenOff(candidates: Int) async {
        await ScriptedRelay.run(Array(["PRIORITY=1 RETRIES=1 API_KEYS=a1,a2", "PRIORITY=2"].prefix(candidates))) {
            (relay) in
            relay.a.follow([.text("begun"), .wait, .breakOff])
            let client = relay.send(isStreamed: true)
            await relay.until { client.received.body.contains("begun") }
            relay.a.goOn()
            let response = await relay.end(of: client)
            #expect(response.status == 200 && response.body.contains(#""error":{"#))
            #expect(!response.body.contains("[DONE]") && !response.body.contains("from"))
            #expect(relay.providers.map(\.calls.count) == Array([1, 0].prefix(candidates)))
            let records = relay.records()
            #expect(records.calls.map(\.isSuccess) == [false] && records.requests.map(\.isSuccess) == [false])
            #expect(records.requests.map(\.attempts) == [1])
        }
    }

    @Test("a call that fails after its head, but before its first event, is followed by the next", arguments: both)
    func failedAfterHead(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.head, .wait, .breakOff])
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            await relay.settle()
            #expect(client.received.status == 0)
            relay.a.goOn()
            let response = await relay.end(of: client)
            #expect(response.status == 200 && response.body.contains("from b") && !response.body.contains("error"))
            #expect(relay.a.calls.count == 1 && relay.b.calls.count == 1)
            #expect(relay.records().calls.map(\.isSuccess) == [false, true])
        }
    }

    @Test("a whole response that breaks off is followed by the next candidate")
    func wholeBrokenOff() async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"]) { relay in
            relay.a.follow([.text("begun"), .breakOff])
            let response = await relay.response()
            #expect(response.status == 200 && response.body.contains("from b") && !response.body.contains("begun"))
        }
    }

    @Test("a candidate that failed is not called again by the same request", arguments: both)
    func failedOnce(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2", "PRIORITY=3"]) { relay in
            for provider in relay.providers { provider.follow([.refuse(500, "broken")]) }
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.status >= 500 && relay.providers.map(\.calls.count) == [1, 1, 1])
            let records = relay.records()
            #expect(records.calls.map(\.provider) == ["a", "b", "c"])
            #expect(records.requests.map(\.isSuccess) == [false] && records.requests.map(\.attempts) == [3])
        }
    }

    @Test("an invalid request goes to no other candidate", arguments: both)
    func invalid(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 API_KEYS=a1,a2 RETRIES=2", "PRIORITY=2"]) { relay in
            relay.a.follow([.refuse(400, "this is not valid")])
            let response = await relay.response(isStreamed: isStreamed)
            #expect(response.status == 400 && relay.a.calls.count == 1 && relay.b.calls.isEmpty)
        }
    }

    // MARK: Deadlines

    @Test("the deadline ends a call to a silent vendor, and no other follows", arguments: both)
    func silent(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1 RETRIES=1", "PRIORITY=2"], "FALLBACK_DEADLINE=2") { relay in
            relay.a.follow([.wait])
            let client = relay.send(isStreamed: isStreamed)
            await relay.pass(milliseconds: 1_990)
            #expect(!client.isDone && relay.a.calls.count == 1)
            await relay.pass(milliseconds: 20)
            let response = await relay.end(of: client)
            #expect(response.status == 504 && relay.a.endings == [.dropped])
            #expect(relay.a.calls.count == 1 && relay.b.calls.isEmpty)
            #expect(relay.records().calls.count == 1)
        }
    }

    @Test("all candidates share one deadline", arguments: both)
    func shared(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"], "FALLBACK_DEADLINE=2") { relay in
            relay.a.follow([.wait, .refuse(500, "broken")])
            relay.b.follow([.head, .wait])
            let client = relay.send(isStreamed: isStreamed)
            await relay.pass(milliseconds: 1_500)
            relay.a.goOn()
            await relay.until { relay.b.calls.count == 1 }
            await relay.pass(milliseconds: 490)
            #expect(!client.isDone)
            await relay.pass(milliseconds: 20)
            let response = await relay.end(of: client)
            #expect(response.status >= 500 && relay.a.endings == [.failed] && relay.b.endings == [.dropped])
            #expect(relay.records().calls.count == 2)
        }
    }

    @Test("a failure after the deadline is final", arguments: both)
    func failedLate(isStreamed: Bool) async {
        await ScriptedRelay.run(["RETRIES=2"], "FALLBACK_DEADLINE=2") { relay in
            relay.a.follow([.refuse(500, "broken")], [.wait, .refuse(500, "broken")])
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 2 }
            await relay.pass(milliseconds: 2_010)
            relay.a.goOn()
            _ = await relay.end(of: client)
            #expect(relay.a.calls.count == 2)
        }
    }

    @Test("the deadline does not end a stream that has begun")
    func begunInTime() async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"], "FALLBACK_DEADLINE=2") { relay in
            relay.a.follow([.text("begun"), .wait, .text("ended")])
            let client = relay.send(isStreamed: true)
            await relay.until { client.received.body.contains("begun") }
            await relay.pass(milliseconds: 60_000)
            #expect(!client.isDone)
            relay.a.goOn()
            let response = await relay.end(of: client)
            #expect(response.body.contains("ended") && response.body.contains("[DONE]"))
            #expect(relay.a.endings == [.complete] && relay.b.calls.isEmpty)
        }
    }
}
