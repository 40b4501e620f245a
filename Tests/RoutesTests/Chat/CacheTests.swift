import Support
import Testing

/// Tests of the response cache: what is stored, and who gets it.
@Suite struct CacheTests {
    private static let both = [false, true]

    @Test("an equal request gets the stored response, without a call", arguments: both)
    func hit(isStreamed: Bool) async {
        await ScriptedRelay.run([""], "CACHE=true") { relay in
            let first = await relay.response(isStreamed: isStreamed)
            let second = await relay.response(isStreamed: isStreamed)
            #expect(first.field("X-Relay-Cache") == "miss" && second.field("X-Relay-Cache") == "hit")
            #expect(second.status == 200 && second.body.contains("from a") && second.field("X-Relay-Attempts") == "0")
            #expect(second.provider == nil && relay.a.calls.count == 1)
            #expect(second.body.contains("[DONE]") == isStreamed)
            _ = await relay.response(isStreamed: isStreamed, "another prompt")
            #expect(relay.a.calls.count == 2)
            let records = relay.records()
            #expect(records.calls.count == 2 && records.requests.map(\.isCached) == [false, true, false])
            #expect(records.requests.map(\.completionTokens) == [2, 2, 2])
            #expect(records.requests[1].microdollars == 0 && records.requests[1].attempts == 0)
        }
    }

    @Test("whole and streamed responses have separate entries", arguments: both)
    func separate(isStreamed: Bool) async {
        await ScriptedRelay.run([""], "CACHE=true") { relay in
            _ = await relay.response(isStreamed: isStreamed)
            let other = await relay.response(isStreamed: !isStreamed)
            #expect(other.field("X-Relay-Cache") == "miss" && relay.a.calls.count == 2)
        }
    }

    @Test("another caller gets the stored response only with CACHE_SCOPE=shared", arguments: both, ["key", "shared"])
    func callers(isStreamed: Bool, scope: String) async {
        await ScriptedRelay.run([""], "CACHE=true CACHE_SCOPE=\(scope)") { relay in
            _ = await relay.response(isStreamed: isStreamed)
            let other = await relay.response(isStreamed: isStreamed, key: "sk-other")
            #expect(other.status == 200 && other.field("X-Relay-Cache") == (scope == "key" ? "miss" : "hit"))
            #expect(relay.a.calls.count == (scope == "key" ? 2 : 1))
        }
    }

    @Test("an entry ends after its lifetime")
    func lifetime() async {
        await ScriptedRelay.run([""], "CACHE=true CACHE_TTL=60") { relay in
            _ = await relay.response()
            await relay.pass(milliseconds: 59_000)
            #expect(await relay.response().field("X-Relay-Cache") == "hit")
            await relay.pass(milliseconds: 2_000)
            #expect(await relay.response().field("X-Relay-Cache") == "miss")
        }
    }

    @Test("a client can keep its request from the cache")
    func directives() async {
        await ScriptedRelay.run([""], "CACHE=true") { relay in
            #expect(await relay.response(head: "Cache-Control: no-store\r\n").field("X-Relay-Cache") == "off")
            #expect(await relay.response().field("X-Relay-Cache") == "miss")
            relay.a.follow([.text("anew")])
            #expect(await relay.response(head: "Cache-Control: no-cache\r\n").body.contains("anew"))
            let last = await relay.response()
            #expect(last.field("X-Relay-Cache") == "hit" && last.body.contains("anew"))
        }
    }

    // MARK: Responses that are not stored

    @Test("a response that breaks off is not stored", arguments: both)
    func brokenOff(isStreamed: Bool) async {
        await ScriptedRelay.run([""], "CACHE=true") { relay in
            relay.a.follow([.text("begun"), .breakOff])
            let broken = await relay.response(isStreamed: isStreamed)
            #expect(broken.body.contains("error"))
            let second = await relay.response(isStreamed: isStreamed)
            #expect(second.field("X-Relay-Cache") == "miss" && second.body.contains("from a"))
            #expect(await relay.response(isStreamed: isStreamed).field("X-Relay-Cache") == "hit")
        }
    }

    @Test("the response to a client that leaves is not stored", arguments: both)
    func left(isStreamed: Bool) async {
        await ScriptedRelay.run([""], "CACHE=true") { relay in
            relay.a.follow([.text("begun"), .wait])
            let client = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            let second = await relay.response(isStreamed: isStreamed)
            #expect(second.field("X-Relay-Cache") == "miss" && second.body.contains("from a"))
        }
    }

    @Test("a failure is not stored, and its fallback's response is", arguments: both)
    func failed(isStreamed: Bool) async {
        await ScriptedRelay.run(["PRIORITY=1", "PRIORITY=2"], "CACHE=true FALLBACK_ATTEMPTS=2") { relay in
            relay.a.follow([.refuse(500, "broken")], [.refuse(500, "broken")])
            relay.b.follow([.refuse(500, "broken")])
            #expect(await relay.response(isStreamed: isStreamed).status >= 500)
            let second = await relay.response(isStreamed: isStreamed)
            #expect(second.field("X-Relay-Cache") == "miss" && second.provider == "b")
            let third = await relay.response(isStreamed: isStreamed)
            #expect(third.field("X-Relay-Cache") == "hit" && third.body.contains("from b"))
        }
    }

    @Test("a request that a limit refuses neither reads nor writes the cache", arguments: both)
    func refused(isStreamed: Bool) async {
        let settings = "CACHE=true CACHE_COALESCE=true CACHE_SCOPE=shared KEY_TEAM_RATE_LIMIT=1/minute"
        await ScriptedRelay.run([""], settings) { relay in
            _ = await relay.response(isStreamed: isStreamed)
            // The response is stored, but the request needs a unit of the limit first.
            let refused = await relay.response(isStreamed: isStreamed)
            #expect(refused.status == 429 && !refused.body.contains("from a"))
            // No other request waits for one that was refused.
            #expect(await relay.response(isStreamed: isStreamed, "new").status == 429)
            let other = await relay.response(isStreamed: isStreamed, "new", key: "sk-other")
            #expect(other.status == 200 && other.field("X-Relay-Cache") == "miss" && relay.a.calls.count == 2)
            await relay.pass(milliseconds: 121_000)
            #expect(await relay.response(isStreamed: isStreamed).field("X-Relay-Cache") == "hit")
            let records = relay.records()
            #expect(records.calls.count == 2 && records.requests.map(\.isCached) == [false, false, false, false, true])
        }
    }
}
