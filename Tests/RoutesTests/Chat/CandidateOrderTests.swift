import Support
import Testing

/// Tests of which candidate gets a request: turns, settings that exclude requests, affinity and trial calls.
@Suite struct CandidateOrderTests {
    private static let both = [false, true]
    private static let tools = #","tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#

    // MARK: Turns

    @Test("a candidate that the settings exclude is not called and loses no turn", arguments: both)
    func excluded(isStreamed: Bool) async {
        await ScriptedRelay.run(["TOOLS=false", "", ""]) { relay in
            var served: [String] = []
            for number in 0..<6 {
                let tools = number.isMultiple(of: 2) ? "" : Self.tools
                served.append(await relay.response(isStreamed: isStreamed, "hello", tools).provider ?? "none")
            }
            // The requests with tools have turns of their own, so the others go to `a`, `b` and `c`.
            #expect(served == ["a", "b", "b", "c", "c", "b"])
            #expect(relay.a.calls.count == 1)
        }
    }

    @Test("a candidate that cannot serve a request loses no turn", arguments: both)
    func unfit(isStreamed: Bool) async {
        await ScriptedRelay.run(["MODEL_INFO=m=context:50", "", ""]) { relay in
            var served: [String] = []
            for number in 0..<6 {
                let prompt = number.isMultiple(of: 2) ? "hello" : String(repeating: "long ", count: 200)
                served.append(await relay.response(isStreamed: isStreamed, prompt).provider ?? "none")
            }
            // The second long request has a turn of its own, so the request after it still goes to `a`.
            #expect(served == ["a", "b", "c", "b", "a", "b"])
        }
    }

    @Test("equal candidates take turns", arguments: both)
    func turns(isStreamed: Bool) async {
        await ScriptedRelay.run(["", "", ""]) { relay in
            var served: [String] = []
            for _ in 0..<6 { served.append(await relay.response(isStreamed: isStreamed).provider ?? "none") }
            #expect(served == ["a", "b", "c", "a", "b", "c"])
        }
    }

    // MARK: Affinity

    @Test("requests of one user go to one provider, and elsewhere only if it fails", arguments: both)
    func affinity(isStreamed: Bool) async {
        await ScriptedRelay.run(["", "", ""], "AFFINITY=user") { relay in
            var served: [String: Set<String>] = [:]
            for user in ["u1", "u2", "u3", "u4", "u5", "u1", "u2", "u3", "u4", "u5", "u1"] {
                let response = await relay.response(isStreamed: isStreamed, "hello", #","user":"\#(user)""#)
                served[user, default: []].insert(response.provider ?? "none")
            }
            #expect(served.values.allSatisfy { $0.count == 1 } && Set(served.values).count > 1, "\(served)")
            guard let own = relay.providers.first(where: { served["u1"] == [$0.name] }) else { return }
            own.follow([.refuse(500, "broken")])
            let before = own.calls.count
            let other = await relay.response(isStreamed: isStreamed, "hello", #","user":"u1""#)
            #expect(other.status == 200 && other.provider != own.name && own.calls.count == before + 1)
            let again = await relay.response(isStreamed: isStreamed, "hello", #","user":"u1""#)
            #expect(again.provider == own.name)
        }
    }
}
