import Support
import Testing

/// Tests of equal requests that run at the same time: one calls the vendor, and the others wait for its response.
@Suite struct CoalescingTests {
    private static let both = [false, true]

    /// Runs a test with three equal requests. The first one has called the vendor, which then follows the script.
    private func three(
        isStreamed: Bool,
        _ settings: String = "",
        _ script: CallStep...,
        test: @escaping @Sendable (ScriptedRelay, [ScriptedClient]) async -> Void
    ) async {
        await ScriptedRelay.run([""], "CACHE=true CACHE_COALESCE=true \(settings)") { relay in
            relay.a.follow([.wait] + script, [.wait, .text("second")])
            let first = relay.send(isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 }
            let others = [relay.send(isStreamed: isStreamed), relay.send(isStreamed: isStreamed)]
            await relay.settle()
            #expect(relay.a.calls.count == 1)
            await test(relay, [first] + others)
        }
    }

    @Test("the others get the response once it is complete", arguments: both)
    func shared(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "", .text("begun"), .wait, .text("ended")) { relay, clients in
            relay.a.goOn()
            await relay.settle()
            #expect(!clients[1].isDone && !clients[1].received.body.contains("begun"))
            relay.a.goOn()
            for client in clients {
                let response = await relay.end(of: client)
                #expect(response.status == 200 && response.body.contains("begun") && response.body.contains("ended"))
            }
            let states = clients.map { $0.received.field("X-Relay-Cache") }
            #expect(states == ["miss", "hit", "hit"] && relay.a.calls.count == 1)
            #expect(relay.records().calls.count == 1)
        }
    }

    @Test("if the first one fails, the next goes on, and the last still waits", arguments: both)
    func failed(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "", .refuse(500, "broken")) { relay, clients in
            relay.a.goOn()
            #expect(await relay.end(of: clients[0]).status >= 500)
            await relay.until { relay.a.calls.count == 2 }
            await relay.settle()
            #expect(relay.a.calls.count == 2 && !clients[2].isDone)
            relay.a.goOn()
            for client in clients.dropFirst() { #expect(await relay.end(of: client).body.contains("second")) }
            #expect(clients.dropFirst().map { $0.received.field("X-Relay-Cache") } == ["miss", "hit"])
        }
    }

    @Test("a response that breaks off is not shared", arguments: both)
    func brokenOff(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "", .text("begun"), .breakOff) { relay, clients in
            relay.a.goOn()
            #expect(await relay.end(of: clients[0]).body.contains("error"))
            await relay.until { relay.a.calls.count == 2 }
            relay.a.goOn()
            for client in clients.dropFirst() {
                let response = await relay.end(of: client)
                #expect(response.body.contains("second") && !response.body.contains("begun"))
            }
        }
    }

    @Test("if the first client leaves, the next request goes on", arguments: both)
    func left(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "", .text("begun"), .wait) { relay, clients in
            relay.a.goOn()
            await relay.settle()
            clients[0].leave()
            _ = await relay.end(of: clients[0])
            await relay.until { relay.a.calls.count == 2 }
            #expect(relay.a.endings[0] == .dropped)
            relay.a.goOn()
            for client in clients.dropFirst() { #expect(await relay.end(of: client).body.contains("second")) }
        }
    }

    @Test("a waiting client that leaves changes nothing for the others", arguments: both)
    func waitingLeft(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "", .text("first")) { relay, clients in
            clients[1].leave()
            _ = await relay.end(of: clients[1])
            #expect(relay.a.calls.count == 1)
            relay.a.goOn()
            #expect(await relay.end(of: clients[2]).body.contains("first"))
            #expect(await relay.end(of: clients[0]).body.contains("first") && relay.a.calls.count == 1)
            #expect(relay.records().requests.count == 3)
        }
    }

    @Test("a request waits at most FALLBACK_DEADLINE", arguments: both)
    func late(isStreamed: Bool) async {
        await three(isStreamed: isStreamed, "FALLBACK_DEADLINE=5", .text("first")) { relay, clients in
            await relay.pass(milliseconds: 4_900)
            #expect(!clients[1].isDone)
            await relay.pass(milliseconds: 200)
            #expect(await relay.end(of: clients[1]).status == 504)
            #expect(await relay.end(of: clients[2]).status == 504 && relay.a.calls.count == 1)
            relay.a.goOn()
            #expect(await relay.end(of: clients[0]).body.contains("first"))
        }
    }
}
