import Calls
import Engine
import Shared

/// A chat that calls tools and answers in a form, of a vendor that knows only text. An answer that is not as it was asked
/// for is repaired once, by one more call.
///
/// `@unchecked`: used on its request's loop only.
final class FormedChat: PreparedChat, @unchecked Sendable {
    private let chat: any PreparedChat
    private let repair: Repair

    init(_ chat: any PreparedChat, _ repair: Repair) {
        self.chat = chat
        self.repair = repair
    }

    func write() { chat.write() }
    var promptTokens: Int { chat.promptTokens }
    var isBilled: Bool { chat.isBilled }

    func stream() async throws(UpstreamError) -> any ChatAnswerStream {
        FormedStream(try await chat.stream(), repair, promptTokens: repair.count.estimate(of: chat))
    }

    /// The stream, whole.
    func answer() async throws(UpstreamError) -> ChatAnswer {
        let whole = try await chat.answer()
        let stream = FormedStream(WholeAnswer(whole), repair, promptTokens: repair.count.estimate(of: chat))
        defer { stream.stop() }
        var text = ByteBuffer()
        var choice = ChatAnswer.Choice(text: nil)
        choice.reasoning = whole.choices.first?.reasoning
        choice.thoughts = whole.choices.first?.thoughts ?? []
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
        return ChatAnswer([choice], usage: stream.usage, credits: stream.credits)
    }
}

/// All that one more call needs.
struct Repair: Sendable {
    /// Makes a chat of a call in plain text.
    typealias Preparing = @Sendable (ChatCall) async throws(UpstreamError) -> any PreparedChat

    /// In plain text; it is kept until the answer is there.
    let call: ChatCall
    let form: TextForm
    let means: FormMeans
    let count: CallCount
    let preparing: Preparing

    /// The call once more, after an answer that is not as it was asked for.
    func call(after answer: String, _ problem: FormedAnswer.Problem) -> ChatCall {
        form.repairing(call, answer, problem)
    }
}

/// A whole answer as a stream of one piece.
///
/// `@unchecked`: used on its request's loop only.
final class WholeAnswer: ChatAnswerStream, @unchecked Sendable {
    private let answer: ChatAnswer
    private var isRead = false

    init(_ answer: ChatAnswer) { self.answer = answer }

    var usage: Usage? { answer.usage }
    var credits: Int? { answer.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival { isRead ? .end : .bytes }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        guard !isRead, let choice = answer.choices.first else { return false }
        isRead = true
        if let text = choice.text { take(0, .text(text.bytes)) }
        for (index, call) in choice.toolCalls.enumerated() {
            call.name.withBytes { take(0, .toolCall(index: index, id: $0, name: $0)) }
            call.arguments.withBytes { take(0, .toolArguments(index: index, $0)) }
        }
        take(0, .finish(choice.finish, stop: choice.stop?.bytes))
        return true
    }

    func stop() { isRead = true }
}
