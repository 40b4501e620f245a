import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct PanelCallTests {
    private func call(_ roles: ChatMessage.Role...) -> ChatCall {
        var call = ChatCall()
        for (index, role) in roles.enumerated() { call.messages.append(ChatMessage(role: role, text: "\(index)")) }
        return call
    }

    private func shown(_ call: ChatCall) -> [String] { call.messages.map { "\($0.role) \($0.text)" } }

    @Test("the summary model gets the history, the references, the prompt and the last message")
    func summary() {
        let asked = call(.system, .user, .assistant, .user)
        let kept = panel("KEEP_HISTORY=true", "REFERENCE_LABEL={n}) ").summaryCall(of: asked, ["A", "B"], prompt: "P")
        #expect(
            shown(kept) == [
                "system 0", "user 1", "assistant 2", "assistant 1) A", "assistant 2) B", "user P", "user 3",
            ]
        )
        let bare = panel().summaryCall(of: asked, [], prompt: "P")
        #expect(shown(bare) == ["user P", "user 3"])
    }

    @Test("instructions after the last message stay with it")
    func laterInstructions() {
        let asked = call(.user, .assistant, .user, .system)
        #expect(shown(panel().summaryCall(of: asked, [], prompt: "P")) == ["user P", "user 2", "system 3"])
        #expect(shown(panel().summaryCall(of: call(.system), [], prompt: "P")) == ["user P", "system 0"])
    }

    @Test("results of tools stay with their call")
    func results() {
        let asked = call(.user, .assistant, .tool, .tool)
        #expect(
            shown(panel().summaryCall(of: asked, [], prompt: "P")).dropFirst() == ["assistant 1", "tool 2", "tool 3"]
        )
        let odd = call(.tool, .tool)
        #expect(shown(panel().summaryCall(of: odd, [], prompt: "P")).count == 3)
    }

    @Test("the caller's own temperature goes to the summary only")
    func temperature() {
        var asked = call(.user)
        #expect(panel().summaryCall(of: asked, [], prompt: "P").chatOptions.sampling.temperature == 0.7)
        asked.chatOptions.sampling.temperature = 0
        asked.chatOptions.sampling.seed = 7
        #expect(panel().summaryCall(of: asked, [], prompt: "P").chatOptions.sampling.temperature == 0)
        let member = panel("TEMPERATURE=1.5").memberCall(of: asked).chatOptions.sampling
        #expect(member.temperature == 1.5 && member.seed == nil)
    }

    @Test("attachments of messages that go are not sent")
    func attachments() {
        var asked = call(.user, .assistant, .user)
        for name in ["a", "b"] {
            asked.attachments.append(Attachment(.image, .address("https://x/\(name)"), param: name))
        }
        asked.needs.insert(.inlineMedia)
        asked.messages[0].content.append(.attachment(0))
        asked.messages[2].content.append(.attachment(1))
        let bare = panel().summaryCall(of: asked, [], prompt: "P")
        #expect(bare.attachments.map(\.param) == ["b"])
        #expect(bare.needs.contains(.inlineMedia))
        guard case .attachment(0) = bare.messages[1].content[1] else { return #expect(Bool(false), "another place") }
        asked.messages[2].content.removeLast()
        let without = panel().summaryCall(of: asked, [], prompt: "P")
        #expect(without.attachments.isEmpty && !without.needs.contains(.inlineMedia))
        #expect(panel().memberCall(of: asked).attachments.count == 2)
    }

    @Test("only the last message of the user decides about vision")
    func vision() {
        let panel = panel("VISION_MODELS=b", "VISION_SUMMARY_MODEL=a")
        var asked = call(.user, .assistant, .user, .assistant)
        asked.attachments = [Attachment(.image, .address("https://x"), param: "x")]
        asked.messages[0].content.append(.attachment(0))
        #expect(panel.cast(for: asked).summary == "s")
        asked.messages[2].content.append(.attachment(0))
        #expect(panel.cast(for: asked).summary == "a" && panel.cast(for: asked).members == ["b"])
    }
}
