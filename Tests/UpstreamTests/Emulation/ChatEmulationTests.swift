import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct ChatEmulationTests {
    /// Prepares a call and returns what `read` makes of it, on its own loop.
    private func completed<Result: Sendable>(
        _ vendor: ScriptedVendor,
        _ call: ChatCall,
        _ read: @escaping @Sendable (any PreparedChat, Attempt) async -> Result
    ) async -> Result {
        let worker = WorkQueue(bytes: 1 << 24)
        defer { worker.stop() }
        return await onLoop { loop in
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let attempt = Attempt(.none, billing: admission.billing, on: loop)
            let abilities = vendor.abilities(for: call, of: anyModel)
            let count = CallCount(anyModel, by: worker, on: loop)
            let completion = ChatEmulation(call, lacking: abilities, count, within: .unbounded(), by: worker, on: loop)
            let chat = vendor.prepare(call, for: anyModel, by: attempt)
            return await read(completion.completed(chat), attempt)
        }
    }

    private func streamed(_ vendor: ScriptedVendor, _ call: ChatCall) async -> ChoiceOutput {
        await completed(vendor, call) { chat, attempt in
            do throws(UpstreamError) {
                return await hear(try await chat.open(isStreamed: true, by: attempt))
            } catch {
                return ChoiceOutput(failure: error.kind)
            }
        }
    }

    private func whole(_ vendor: ScriptedVendor, _ call: ChatCall) async -> ChoiceOutput {
        await completed(vendor, call) { chat, attempt in
            var heard = ChoiceOutput()
            do throws(UpstreamError) {
                let response = try await chat.gathered(by: attempt)
                for (index, choice) in response.choices.enumerated() {
                    heard.texts[index] = choice.text?.text
                    heard.ends[index] = [choice.finish]
                }
                heard.tokens = response.usage?.completionTokens
            } catch {
                heard.failure = error.kind
            }
            return heard
        }
    }

    private static let said: [Step] = [.text("one "), .text("two "), .text("three"), .finish(.stop)]

    @Test("a vendor that lacks nothing is asked as it is", arguments: [true, false])
    func addsNothing(canAll: Bool) async {
        let all: Abilities = [.choices, .stops, .tokenBound]
        let vendor = ScriptedVendor(can: canAll ? all : [], [[Self.said]])
        let call = canAll ? chatCall(choices: 2, stops: ["two"], maxTokens: 1) : chatCall()
        #expect(await completed(vendor, call) { chat, _ in !(chat is TruncatingChat) && !(chat is ChoicesChat) })
    }

    @Test("an answer ends before a sequence, and by its tokens, streamed as whole")
    func bounds() async {
        for (call, text, end) in [
            (chatCall(stops: ["two"]), "one ", FinishReason.stop), (chatCall(maxTokens: 1), "one ", .length),
            (chatCall(stops: ["o t"]), "one tw", .stop),
            (chatCall(stops: ["x"], maxTokens: 99), "one two three", .stop),
        ] {
            let stream = await streamed(ScriptedVendor([[Self.said]]), call)
            #expect(stream.texts == [0: text] && stream.ends == [0: [end]])
            let response = await whole(ScriptedVendor([[Self.said]]), call)
            #expect(response.texts == [0: text] && response.ends == [0: [end]])
        }
    }

    @Test("each choice of a vendor that has them is bounded by itself")
    func boundsChoices() async {
        let vendor = ScriptedVendor(can: .choices, [[Self.said, [.text("other "), .finish(.length)]]])
        let heard = await streamed(vendor, chatCall(choices: 2, stops: ["two"]))
        #expect(heard.texts == [0: "one ", 1: "other "] && heard.ends == [0: [.stop], 1: [.length]])
    }

    @Test("choices of a vendor that has none are calls of their own")
    func choices() async {
        let scripts: [[[Step]]] = [[[.text("aaaa"), .finish(.stop)]], [[.text("bb"), .text("bb"), .finish(.length)]]]
        let vendor = ScriptedVendor(scripts)
        let heard = await streamed(vendor, chatCall(choices: 2))
        #expect(heard.texts == [0: "aaaa", 1: "bbbb"] && heard.ends == [0: [.stop], 1: [.length]])
        #expect(heard.tokens == 2 && vendor.calls == 2 && vendor.stopped == 2)
        let response = await whole(ScriptedVendor(scripts), chatCall(choices: 2))
        #expect(Set(response.texts.values) == ["aaaa", "bbbb"] && response.tokens == 2)
    }

    @Test("a choice that fails fails all, and each stream is stopped")
    func failingChoice() async {
        let broken: [[Step]] = [[.failure(.unavailable)], [.text("a"), .failure(.unavailable)]]
        for steps in broken {
            let scripts = [[Self.said], [steps]]
            let vendor = ScriptedVendor(scripts)
            let heard = await streamed(vendor, chatCall(choices: 2))
            #expect(heard.failure == .unavailable)
            #expect(vendor.stopped == (scripts[1][0].count == 1 ? 1 : 2))
        }
    }

    @Test("tools and reasoning pass through a bound")
    func passesOthers() async {
        let steps: [Step] = [
            .reasoning("hm"), .text("a stop b"), .call(id: "1", name: "f", arguments: "{}"), .finish(.toolCalls),
        ]
        let heard = await streamed(ScriptedVendor(can: .tools, [[steps]]), chatCall(stops: ["never"]))
        #expect(
            heard.reasoning == [0: "hm"] && heard.calls == [0: ["1", "f", "{}"]] && heard.ends == [0: [.toolCalls]]
        )
    }

    private static func demanding(_ choice: ChatOptions.ToolChoice) -> ChatCall {
        var call = chatCall()
        call.chatOptions.toolChoice = choice
        call.needs.insert([.tools, .toolChoice, .demands])
        return call
    }

    @Test("nothing is told before the demanded call, however many pieces come before it")
    func holdsBackUntilCalled() async {
        let hm = "hm "
        let made = Step.call(id: "1", name: "f", arguments: "{}")
        let steps = Array(repeating: Step.reasoning(hm), count: 50_000) + [.text("So:"), made, .finish(.toolCalls)]
        let heard = await streamed(ScriptedVendor(can: [.tools, .toolChoice], [[steps]]), Self.demanding(.named("f")))
        #expect(heard.reasoning == [0: String(repeating: hm, count: 50_000)] && heard.texts == [0: "So:"])
        #expect(heard.calls == [0: ["1", "f", "{}"]] && heard.ends == [0: [.toolCalls]])
        let other = ScriptedVendor(can: [.tools, .toolChoice], [[steps]])
        #expect(
            await streamed(other, Self.demanding(.named("g"))) == ChoiceOutput(failure: .failed) && other.stopped == 1
        )
    }

    @Test("a vendor that sees to what is demanded is not judged")
    func trusts() async {
        let vendor = ScriptedVendor(can: [.tools, .toolChoice, .demands], [[Self.said]])
        #expect(await completed(vendor, Self.demanding(.required)) { chat, _ in !(chat is SchemaCheckedChat) })
        #expect(await whole(vendor, Self.demanding(.required)).failure == nil)
    }

    @Test("what nothing makes up for is refused, if the vendor lacks it")
    func refuses() {
        for (need, param) in [
            (Abilities.logProbabilities, "top_logprobs"), (.audioOutput, "audio"), (.customTools, "tools[0].type"),
        ] {
            var call = chatCall()
            call.needs.insert(need)
            do throws(APIError) {
                try ChatEmulation.check(call, against: [])
                Issue.record("\(param) was taken")
            } catch {
                #expect(error.status == 400 && error.param == param)
            }
            #expect(throws: Never.self) { try ChatEmulation.check(call, against: need) }
        }
    }
}
