import Calls
import Engine
import Shared

/// A chat with tools and structured output, for a vendor that supports only text.
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

    /// Returns the whole response. It is parsed in the same way as a stream.
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

/// The data for a repair call, which asks the model to correct an invalid response.
struct Repair: Sendable {
    /// A function that prepares the repair call for the vendor.
    typealias Preparing = @Sendable (ChatCall) async throws(UpstreamError) -> any PreparedChat

    /// The original call, whose prompt describes the tools and the format. Its response may need a repair.
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

/// A stream that consists of one chunk: a whole response.
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
