import Support
import Testing

/// Tests of a panel: the members `ma` and `mb`, and the model `mc` that summarises their responses.
@Suite struct PanelTests {
    private static let both = [false, true]

    private func panel(_ more: String = "", _ test: @escaping @Sendable (ScriptedRelay) async -> Void) async {
        let settings = "PANEL_P_MODELS=ma,mb PANEL_P_SUMMARY_MODEL=mc PANEL_P_NAME=panel"
        await ScriptedRelay.run(["MODELS=ma", "MODELS=mb", "MODELS=mc"], "\(settings) \(more)") { relay in
            await test(relay)
        }
    }

    private func send(_ relay: ScriptedRelay, isStreamed: Bool) -> ScriptedClient {
        relay.send(isStreamed: isStreamed, model: "panel")
    }

    // MARK: Members

    @Test("all members run at the same time, and the summary gets their responses", arguments: both)
    func members(isStreamed: Bool) async {
        await panel { relay in
            relay.a.follow([.wait, .text("from a")])
            relay.b.follow([.wait, .text("from b")])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 && relay.b.calls.count == 1 }
            relay.b.goOn()
            await relay.settle()
            #expect(relay.c.calls.isEmpty && !client.isDone)
            relay.a.goOn()
            let response = await relay.end(of: client)
            #expect(response.status == 200 && response.body.contains("from c"))
            #expect(response.body.contains("ma ") == isStreamed && response.body.contains("mb ") == isStreamed)
            let summary = relay.c.calls.first?.body ?? ""
            #expect(summary.contains("Reference answer 1: from a") && summary.contains("Reference answer 2: from b"))
            #expect(relay.providers.map(\.calls.count) == [1, 1, 1])
            let records = relay.records()
            #expect(records.calls.compactMap(\.provider).sorted() == ["a", "b", "c"])
            #expect(records.calls.allSatisfy { $0.promptTokens == 7 && $0.completionTokens == 2 })
            #expect(records.calls.allSatisfy { $0.isSuccess && $0.microdollars == 9_000 })
            // The request has the tokens of its summary and the cost of all its calls.
            #expect(records.requests.map(\.promptTokens) == [7] && records.requests.map(\.completionTokens) == [2])
            #expect(records.requests.map(\.microdollars) == [27_000])
        }
    }

    @Test("if a member fails, the summary gets the responses of the others", arguments: both)
    func oneFails(isStreamed: Bool) async {
        await panel("PANEL_P_ATTEMPTS=1 PANEL_P_MIN_ANSWERS=1") { relay in
            relay.a.follow([.refuse(500, "broken")])
            let response = await relay.end(of: send(relay, isStreamed: isStreamed))
            #expect(response.status == 200 && response.body.contains("from c"))
            let summary = relay.c.calls.first?.body ?? ""
            #expect(summary.contains("Reference answer 1: from b") && !summary.contains("Reference answer 2"))
            let records = relay.records()
            #expect(records.calls.count == 3 && records.calls.filter { !$0.isSuccess }.map(\.provider) == ["a"])
            #expect(records.requests.map(\.microdollars) == [18_000] && records.requests.map(\.isSuccess) == [true])
        }
    }

    @Test("a failed member is called again after the delay, and each call is billed", arguments: both)
    func again(isStreamed: Bool) async {
        await panel("PANEL_P_ATTEMPTS=2 PANEL_P_RETRY_DELAY=3") { relay in
            relay.a.follow([.text("begun"), .breakOff])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.b.endings == [.complete] && relay.a.endings == [.failed] }
            await relay.pass(milliseconds: 2_900)
            #expect(relay.a.calls.count == 1 && relay.c.calls.isEmpty)
            await relay.pass(milliseconds: 200)
            #expect(await relay.end(of: client).status == 200)
            #expect(relay.providers.map(\.calls.count) == [2, 1, 1])
            let records = relay.records()
            #expect(records.calls.count == 4 && records.calls.filter { !$0.isSuccess }.map(\.provider) == ["a"])
        }
    }

    @Test("with too few responses the request fails with the reasons, and running members end", arguments: both)
    func tooFew(isStreamed: Bool) async {
        await panel("PANEL_P_ATTEMPTS=1 PANEL_P_MIN_ANSWERS=2") { relay in
            relay.a.follow([.wait, .refuse(500, "broken")])
            relay.b.follow([.wait])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 && relay.b.calls.count == 1 }
            relay.a.goOn()
            let response = await relay.end(of: client)
            #expect(response.status == (isStreamed ? 200 : 502))
            #expect(response.body.contains("Only 0 of 2 panel members answered (2 needed): ma: "))
            #expect(relay.b.endings == [.dropped] && relay.c.calls.isEmpty)
            let records = relay.records()
            #expect(Set(records.calls.map(\.provider)) == ["a", "b"] && records.calls.count == 2)
            #expect(records.requests.map(\.isSuccess) == [false])
        }
    }

    @Test("without a least number, the summary is made without any response", arguments: both)
    func allFail(isStreamed: Bool) async {
        await panel("PANEL_P_ATTEMPTS=1") { relay in
            relay.a.follow([.refuse(500, "broken")])
            relay.b.follow([.refuse(500, "broken")])
            let response = await relay.end(of: send(relay, isStreamed: isStreamed))
            #expect(response.status == 200 && response.body.contains("from c"))
            #expect(relay.records().calls.count == 3)
        }
    }

    @Test("a panel in a panel makes its calls, too, and the bill has them all", arguments: both)
    func inner(isStreamed: Bool) async {
        let inner = "PANEL_Q_MODELS=panel,mb PANEL_Q_SUMMARY_MODEL=mc PANEL_Q_NAME=outer"
        await panel(inner) { relay in
            relay.c.follow([.text("inner summary")])
            let response = await relay.end(of: relay.send(isStreamed: isStreamed, model: "outer"))
            #expect(response.status == 200 && response.body.contains("from c"))
            #expect(relay.providers.map(\.calls.count) == [1, 2, 2])
            #expect(relay.c.calls.last?.body.contains("Reference answer 1: inner summary") == true)
            let records = relay.records()
            #expect(records.calls.compactMap(\.provider).sorted() == ["a", "b", "b", "c", "c"])
            #expect(records.requests.map(\.microdollars) == [45_000] && records.requests.map(\.attempts) == [5])
        }
    }

    @Test("a client that leaves ends the calls of a panel in a panel", arguments: both)
    func leftInner(isStreamed: Bool) async {
        let inner = "PANEL_Q_MODELS=panel,mb PANEL_Q_SUMMARY_MODEL=mc PANEL_Q_NAME=outer"
        await panel(inner) { relay in
            relay.a.follow([.wait])
            relay.b.follow([.wait], [.wait])
            let client = relay.send(isStreamed: isStreamed, model: "outer")
            await relay.until { relay.a.calls.count == 1 && relay.b.calls.count == 2 }
            client.leave()
            _ = await relay.end(of: client)
            #expect(relay.a.endings == [.dropped] && relay.b.endings == [.dropped, .dropped])
            #expect(relay.c.calls.isEmpty && relay.records().calls.count == 3)
        }
    }

    // MARK: Times

    @Test(
        "a member that takes too long is dropped, and the summary is made without it",
        arguments: both,
        ["PANEL_P_TIMEOUT=5 PANEL_P_ATTEMPTS=1", "PANEL_P_DEADLINE=5"]
    )
    func lateMember(isStreamed: Bool, settings: String) async {
        await panel(settings) { relay in
            relay.a.follow([.wait])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 && relay.b.endings == [.complete] }
            await relay.pass(milliseconds: 4_900)
            #expect(relay.c.calls.isEmpty && relay.a.endings == [nil])
            await relay.pass(milliseconds: 200)
            let response = await relay.end(of: client)
            #expect(response.status == 200 && response.body.contains("from c"))
            #expect(relay.a.endings == [.dropped] && relay.a.calls.count == 1)
            #expect(relay.c.calls.first?.body.contains("from a") == false)
            #expect(relay.records().calls.count == 3)
        }
    }

    @Test("a summary that does not begin in time fails", arguments: both)
    func lateSummary(isStreamed: Bool) async {
        await panel("PANEL_P_SUMMARY_TIMEOUT=5") { relay in
            relay.c.follow([.head, .wait])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.c.calls.count == 1 }
            await relay.pass(milliseconds: 4_900)
            #expect(!client.isDone)
            await relay.pass(milliseconds: 200)
            let response = await relay.end(of: client)
            #expect(response.status == (isStreamed ? 200 : 504) && response.body.contains("error"))
            #expect(relay.c.endings == [.dropped] && relay.records().calls.count == 3)
        }
    }

    @Test("a summary that does not end in time breaks off")
    func slowSummary() async {
        await panel("PANEL_P_SUMMARY_TIMEOUT=5 PANEL_P_STATUS_FEEDBACK=off") { relay in
            relay.c.follow([.text("begun"), .wait])
            let client = send(relay, isStreamed: true)
            await relay.until { client.received.body.contains("begun") }
            await relay.pass(milliseconds: 4_900)
            #expect(!client.isDone)
            await relay.pass(milliseconds: 200)
            let response = await relay.end(of: client)
            #expect(response.status == 200 && response.body.contains("error") && !response.body.contains("[DONE]"))
            #expect(relay.c.endings == [.dropped])
            let records = relay.records()
            #expect(records.calls.count == 3 && records.requests.map(\.isSuccess) == [false])
        }
    }

    // MARK: Clients that leave

    @Test("a client that leaves during the members ends all their calls", arguments: both)
    func leftMembers(isStreamed: Bool) async {
        await panel("KEY_TEAM_RATE_LIMIT=1~concurrent PROVIDER_A_CONCURRENCY=1 PROVIDER_B_CONCURRENCY=1") { relay in
            relay.a.follow([.wait])
            relay.b.follow([.head, .wait])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.a.calls.count == 1 && relay.b.calls.count == 1 }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            #expect(relay.a.endings == [.dropped] && relay.b.endings == [.dropped] && relay.c.calls.isEmpty)
            #expect(await relay.end(of: send(relay, isStreamed: isStreamed)).status == 200)
            let records = relay.records()
            #expect(records.calls.map(\.isSuccess) == [false, false, true, true, true])
            #expect(records.calls.prefix(2).allSatisfy { $0.promptTokens > 0 })
            #expect(records.requests.map(\.isSuccess) == [false, true])
        }
    }

    @Test("a client that leaves before a member is called again ends the request", arguments: both)
    func leftDelay(isStreamed: Bool) async {
        await panel("PANEL_P_ATTEMPTS=3 PANEL_P_RETRY_DELAY=3") { relay in
            relay.a.follow([.refuse(500, "broken")])
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.a.endings == [.failed] && relay.b.endings == [.complete] }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            #expect(relay.providers.map(\.calls.count) == [1, 1, 0])
            #expect(relay.records().calls.count == 2)
        }
    }

    @Test(
        "a client that leaves during the summary ends its call",
        arguments: both,
        [[CallStep.wait], [.head, .wait], [.text("begun"), .wait]]
    )
    func leftSummary(isStreamed: Bool, script: [CallStep]) async {
        await panel("KEY_TEAM_RATE_LIMIT=1~concurrent PROVIDER_C_CONCURRENCY=1") { relay in
            relay.c.follow(script)
            let client = send(relay, isStreamed: isStreamed)
            await relay.until { relay.c.calls.count == 1 }
            await relay.settle()
            client.leave()
            _ = await relay.end(of: client)
            #expect(relay.c.endings == [.dropped])
            #expect(await relay.end(of: send(relay, isStreamed: isStreamed)).status == 200)
            let records = relay.records()
            #expect(records.calls.count == 6 && records.calls.filter { !$0.isSuccess }.map(\.provider) == ["c"])
            #expect(records.requests.map(\.isSuccess) == [false, true])
            #expect(records.requests[0].promptTokens > 14)
        }
    }
}
