import Calls
import Engine
import Shared

/// A vendor with tools, reasoning and several choices: each choice thinks, speaks and calls the first tool.
final class LittleVendor: ChatVendor {
    let name = "little"
    let wires: [Wire] = []

    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        [.choices, .tools, .toolChoice, .reasoning]
    }

    func prepare(_ call: ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat {
        LittleChat(choices: call.choices, tool: call.wishes.tools.first?.name ?? "none")
    }
}

private final class LittleChat: PreparedChat {
    let promptTokens = 1
    let choices: Int
    let tool: String

    init(choices: Int, tool: String) { (self.choices, self.tool) = (choices, tool) }

    func answer() async throws(UpstreamError) -> ChatAnswer {
        var choice = ChatAnswer.Choice(text: Body(ByteBuffer("said")), finish: .toolCalls)
        choice.reasoning = Body(ByteBuffer("thought"))
        choice.toolCalls = [ToolCall(id: "call-1", name: tool, arguments: #"{"a":1}"#)]
        return ChatAnswer(Array(repeating: choice, count: choices), usage: nil)
    }

    func stream() async throws(UpstreamError) -> any ChatAnswerStream { LittleStream(self) }
}

private final class LittleStream: ChatAnswerStream, @unchecked Sendable {  // on one loop
    let usage: Usage? = Usage(promptTokens: 1, completionTokens: 2)
    let credits: Int? = nil
    private let chat: LittleChat
    private var left: Int

    init(_ chat: LittleChat) { (self.chat, left) = (chat, chat.choices) }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { left > 0 ? .bytes : .end }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        guard left > 0 else { return false }
        left -= 1
        withBytes("thought") { take(left, .reasoning($0)) }
        withBytes("seal") { take(left, .signature(call: nil, $0)) }
        withBytes("said") { take(left, .text($0)) }
        withBytes("call-1") { id in withBytes(chat.tool) { take(left, .toolCall(index: 0, id: id, name: $0)) } }
        withBytes(#"{"a":1}"#) { take(left, .toolArguments(index: 0, $0)) }
        take(left, .finish(.toolCalls, stop: nil))
        return true
    }

    func stop() {}
}
