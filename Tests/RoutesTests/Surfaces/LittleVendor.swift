import Engine
import Shared
import Upstream

/// A vendor with tools, reasoning and several choices. Each choice emits reasoning and text, and calls the first tool.
final class LittleVendor: ChatVendor, @unchecked Sendable {  // on one loop
    let name = "little"
    let wires: [Wire] = []
    /// Whether the reasoning is signed or sealed, and the call has a signature.
    let signs: Bool
    /// Whether all reasoning follows the text, and no call does.
    let isLate: Bool
    /// The messages of the last call.
    private(set) var heard: [ChatMessage] = []

    init(signs: Bool = false, isLate: Bool = false) { (self.signs, self.isLate) = (signs, isLate) }

    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities {
        [.choices, .tools, .toolChoice, .reasoning]
    }

    func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        heard = call.messages
        let tool = call.chatOptions.tools.first?.name ?? "none"
        return LittleChat(choices: call.choices, tool: tool, signs: signs, isLate: isLate)
    }
}

private final class LittleChat: PreparedChat {
    let promptTokens = 1
    let choices: Int
    let tool: String
    let signs: Bool
    let isLate: Bool

    init(choices: Int, tool: String, signs: Bool, isLate: Bool) {
        (self.choices, self.tool, self.signs, self.isLate) = (choices, tool, signs, isLate)
    }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        LittleStream(self, usage: isStreamed ? Usage(promptTokens: 1, completionTokens: 2) : nil)
    }
}

private final class LittleStream: ChatStream, @unchecked Sendable {  // on one loop
    let usage: Usage?
    let credits: Int? = nil
    private let chat: LittleChat
    private var left: Int

    init(_ chat: LittleChat, usage: Usage?) { (self.chat, self.usage, left) = (chat, usage, chat.choices) }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { left > 0 ? .bytes : .end }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard left > 0 else { return false }
        left -= 1
        if chat.isLate { withBytes("said") { emit(left, .text($0)) } }
        withBytes("thought") { emit(left, .reasoning($0)) }
        if chat.signs {
            withBytes("seal") { emit(left, .signature(call: nil, $0)) }
            withBytes("dark") { emit(left, .encryptedReasoning($0)) }
        }
        if chat.isLate {
            emit(left, .finish(.stop, stop: nil))
            return true
        }
        withBytes("said") { emit(left, .text($0)) }
        withBytes("call-1") { id in withBytes(chat.tool) { emit(left, .toolCall(index: 0, id: id, name: $0)) } }
        withBytes(#"{"a":1}"#) { emit(left, .toolArguments(index: 0, $0)) }
        if chat.signs { withBytes("mark") { emit(left, .signature(call: 0, $0)) } }
        emit(left, .finish(.toolCalls, stop: nil))
        return true
    }

    func stop() {}
}
