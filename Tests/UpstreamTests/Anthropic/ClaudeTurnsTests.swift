import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct ClaudeTurnsTests {
    private enum Kind: CaseIterable {
        case system
        case user
        case assistant
        case call
        case result
    }

    /// All conversations of up to four messages.
    private static let conversations: [[Kind]] = {
        var conversations: [[Kind]] = [[]]
        var longest = conversations
        for _ in 0..<4 {
            longest = longest.flatMap { conversation in Kind.allCases.map { conversation + [$0] } }
            conversations += longest
        }
        return conversations
    }()

    private func call(_ kinds: [Kind]) -> ChatCall {
        var call = ChatCall()
        call.messages = kinds.enumerated().map { index, kind in
            switch kind {
            case .system: return ChatMessage(role: .system, text: "s\(index)")
            case .user: return ChatMessage(role: .user, text: "u\(index)")
            case .assistant: return ChatMessage(role: .assistant, text: "a\(index)")
            case .call:
                var message = ChatMessage(role: .assistant, content: [])
                message.toolCalls = [ToolCall(id: "c", name: "f", arguments: "{}")]
                return message
            case .result:
                var message = ChatMessage(role: .tool, text: "r\(index)")
                message.toolCallID = "c"
                return message
            }
        }
        return call
    }

    private func written(_ kinds: [Kind], with quirks: Set<Quirk> = []) -> Body {
        let dialect = AnthropicDialect(supportsSampling: true, isVertex: false, errorTable: VendorError.anthropic)
        return AnthropicRequest(call(kinds), "claude-opus-4-8", dialect: dialect, with: quirks).written().body
    }

    private func turns(_ body: Body) -> [String] {
        RawJSON(body.bytes)["messages"]?.elements.map(\.bytes.text) ?? []
    }

    @Test("a system turn follows the user, and precedes the assistant or ends the conversation")
    func places() {
        for conversation in Self.conversations {
            let body = written(conversation)
            let roles = RawJSON(body.bytes)["messages"]?.elements.map { $0["role"]?.content?.text ?? "" } ?? []
            for (index, role) in roles.enumerated() {
                switch role {
                case "system":
                    #expect(index > 0 && roles[index - 1] == "user")
                    #expect(index + 1 == roles.count || roles[index + 1] == "assistant")
                case "user": #expect(index == 0 || roles[index - 1] == "assistant", "\(conversation)")
                default: #expect(index > 0 && roles[index - 1] != "assistant", "\(conversation)")
                }
            }
            let top = conversation.prefix { $0 == .system }.count
            let instructions = (RawJSON(body.bytes)["system"]?.elements).map { Array($0).count }
            #expect(instructions ?? 0 == top)
        }
    }

    @Test("a request that is rebuilt after a refusal equals one that is written for the model")
    func rebuilt() {
        for conversation in Self.conversations {
            let inPlace = written(conversation)
            let rebuilt = MessageRequestRewriter.written(inPlace, with: [.named(.noSystemTurns)])
            let direct = written(conversation, with: [.named(.noSystemTurns)])
            #expect(rebuilt.text == direct.text, "\(conversation)")
            #expect(!direct.text.contains(#""role":"system""#))
            #expect(MessageRequestRewriter.written(direct, with: [.named(.noSystemTurns)]).text == direct.text)
        }
    }

    @Test("appended turns leave older ones as they were", arguments: [[], [.named(.noSystemTurns)]] as [Set<Quirk>])
    func stability(quirks: Set<Quirk>) {
        for conversation in Self.conversations where conversation.last == .user || conversation.last == .result {
            for more in [[Kind.assistant, .user], [.call, .result, .system], [.assistant, .system]] {
                let before = turns(written(conversation, with: quirks))
                let after = turns(written(conversation + more, with: quirks))
                #expect(Array(after.prefix(before.count)) == before, "\(conversation) \(more)")
            }
        }
    }

    @Test("results of tool calls come first in a turn that is joined")
    func resultsFirst() {
        let messages = #"""
            {"messages":[{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b\n"}]},\#
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]},{"role":"system","content":""}]}
            """#
        let rebuilt = MessageRequestRewriter.written(Body(ByteBuffer(messages)), with: [.named(.noSystemTurns)])
        let wanted = #"""
            {"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"},{"type":"text","text":"a"},\#
            {"type":"text","text":"<system-reminder>\nb\n\n</system-reminder>"}]}]}
            """#
        #expect(rebuilt.text == wanted)
    }
}
