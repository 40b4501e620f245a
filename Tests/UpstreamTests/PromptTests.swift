import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct PromptTests {
    private func prompt(_ messages: [(ChatMessage.Role, String)]) -> String? {
        var body = ByteBuffer("\"")
        var call = ChatCall()
        call.messages = messages.map { ChatMessage(role: $0.0, text: $0.1) }
        OneMinPrompt.append(call, to: &body)
        body.append("\"")
        let parser = JSONParser()
        return withExtendedLifetime(parser) { (try? parser.parse(body.bytes))?.string }
    }

    private let order = "(Answer as the assistant, without a label.)"

    @Test("a lone text of the user goes as it is, a blank one not")
    func lone() {
        #expect(prompt([(.user, "a \"b\"\n\u{1f310}")]) == "a \"b\"\n\u{1f310}")
        #expect(prompt([(.user, " \n")]) == "User:  \n\n\n" + order)
        #expect(prompt([(.assistant, "a")]) == "Assistant: a\n\n(Continue the assistant's last message where it ends.)")
    }

    @Test("instructions at the beginning are joined; then the turns have labels, later instructions too")
    func conversation() {
        let text = prompt([
            (.system, "s1"), (.developer, "s2"), (.user, "q"), (.system, "s3"), (.assistant, "a"), (.tool, "[1] t"),
            (.system, " "), (.user, "r"),
        ])
        #expect(
            text == "Instructions:\ns1\n\ns2\n\nUser: q\n\nUser: <system-reminder>\ns3\n</system-reminder>\n\n"
                + "Assistant: a\n\nTool result: [1] t\n\nUser: r\n\n" + order
        )
        #expect(prompt([(.system, "s")]) == "Instructions:\ns\n\n" + order)
    }

    @Test("thoughts are left out, and take no place of their own")
    func reasoningBlocks() throws {
        #expect(MemoryLayout<ChatMessage.Piece>.size == 17, "each message pays for a larger one")
        let reasoningBlock = ChatMessage.Piece.reasoningBlock(try #require(ReasoningBlock("why", signature: "s")))
        var body = ByteBuffer("\"")
        var call = ChatCall()
        call.messages = [
            ChatMessage(role: .user, text: "q"), ChatMessage(role: .assistant, content: [reasoningBlock]),
            ChatMessage(role: .assistant, content: [reasoningBlock, .text("so"), reasoningBlock]),
        ]
        let tokens = call.promptTokens
        OneMinPrompt.append(call, to: &body)
        #expect(body.text == #""q\n\nAssistant: so\n\n(Continue the assistant's last message where it ends.)"#)
        call.messages = [ChatMessage(role: .user, text: "q"), ChatMessage(role: .assistant, text: "so")]
        #expect(tokens == call.promptTokens)
    }
}
