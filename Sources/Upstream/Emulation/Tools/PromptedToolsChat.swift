import Calls
import Engine
import Shared

/// A chat with tools and structured output, for a vendor that supports only text. An invalid response is repaired by
/// one more call.
///
/// `@unchecked`: used on its request's loop only.
final class PromptedToolsChat: PreparedChat, @unchecked Sendable {
    private let chat: any PreparedChat
    private let repair: Repair

    init(_ chat: any PreparedChat, _ repair: Repair) {
        self.chat = chat
        self.repair = repair
    }

    func write() { chat.write() }
    var promptTokens: Int { chat.promptTokens }
    var isBilled: Bool { chat.isBilled }

    func stream() async throws(UpstreamError) -> any ChatResponseStream {
        PromptedToolsStream(try await chat.stream(), repair, promptTokens: repair.count.estimate(of: chat))
    }

    /// Returns the whole response, read in the same way as a stream.
    func response() async throws(UpstreamError) -> ChatResponse {
        let whole = try await chat.response()
        let stream = PromptedToolsStream(
            WholeResponseStream(whole),
            repair,
            promptTokens: repair.count.estimate(of: chat)
        )
        defer { stream.stop() }
        var text = ByteBuffer()
        var choice = ChatResponse.Choice(text: nil)
        choice.reasoning = whole.choices.first?.reasoning
        choice.reasoningBlocks = whole.choices.first?.reasoningBlocks ?? []
        while try await stream.more(patienceNanoseconds: .max / 4) != .end {
            while try stream.next({ _, event in
                switch event {
                case .text(let piece, _): text.append(piece)
                case .toolCall(_, let id, let name):
                    choice.toolCalls.append(ToolCall(id: id.text, name: name.text, arguments: ""))
                case .toolArguments(let index, let piece): choice.toolCalls[index].arguments = piece.text
                case .finish(let reason, let stop):
                    choice.finish = reason
                    choice.stop = stop.map { Body(copying: $0) }
                default: break
                }
            }) {}
        }
        if !text.isEmpty || choice.toolCalls.isEmpty { choice.text = Body(text) }
        return ChatResponse([choice], usage: stream.usage, credits: stream.credits)
    }
}

/// Everything that is needed for one more call, which repairs an invalid response.
struct Repair: Sendable {
    /// Prepares the vendor's chat for a call in plain text.
    typealias Preparing = @Sendable (ChatCall) async throws(UpstreamError) -> any PreparedChat

    /// The call in plain text, kept until the response is complete.
    let call: ChatCall
    let form: TextProtocol
    let context: OutputParserContext
    let count: CallCount
    let preparing: Preparing

    /// Returns the call that asks the model to correct an invalid response.
    func call(after response: String, _ problem: PromptedToolsResponse.Problem) -> ChatCall {
        form.repairing(call, response, problem: problem)
    }
}

/// A whole response as a stream of one chunk.
///
/// `@unchecked`: used on its request's loop only.
final class WholeResponseStream: ChatResponseStream, @unchecked Sendable {
    private let response: ChatResponse
    private var isRead = false

    init(_ response: ChatResponse) { self.response = response }

    var usage: Usage? { response.usage }
    var credits: Int? { response.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { isRead ? .end : .bytes }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        guard !isRead, let choice = response.choices.first else { return false }
        isRead = true
        if let text = choice.text { emit(0, .text(text.bytes)) }
        for (index, call) in choice.toolCalls.enumerated() {
            call.name.withBytes { emit(0, .toolCall(index: index, id: $0, name: $0)) }
            call.arguments.withBytes { emit(0, .toolArguments(index: index, $0)) }
        }
        emit(0, .finish(choice.finish, stop: choice.stop?.bytes))
        return true
    }

    func stop() { isRead = true }
}
