import Engine
import Shared

/// A chat with several choices, for a vendor that returns one choice per call.
final class ChoicesChat: PreparedChat, @unchecked Sendable {  // `chat` is used as its own protocol says
    /// The vendor's chats, one for each prompt.
    private let chats: [any PreparedChat]
    private let choices: Int
    /// The response of an earlier upstream call for the same prompt; nil if there was none.
    private let first: LoggedStream?
    private let count: CallCount
    private let loop: EventLoop

    /// - Parameters:
    ///   - chats: the vendor's chats, one for each prompt.
    ///   - first: the response of an earlier upstream call, whose choices come first; nil if there was none.
    init(
        _ chats: [any PreparedChat],
        _ choices: Int,
        after first: LoggedStream? = nil,
        count: CallCount,
        loop: EventLoop
    ) {
        self.first = first
        self.chats = chats
        self.choices = choices
        self.count = count
        self.loop = loop
    }

    /// The maximum number of concurrent upstream calls for a response that is not streamed.
    private static let atOnce = 8

    func write() { for chat in chats { chat.write() } }

    var promptTokens: Int { chats.reduce(0) { $0 + $1.promptTokens } }

    private func chat(ofChoice index: Int) -> any PreparedChat { chats[index * chats.count / choices] }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        let bill = ChoicesBill(chats.map(\.promptTokens), choices, count: count)
        do throws(UpstreamError) {
            guard isStreamed else { return try await whole(by: attempt, bill) }
            let stream = ChoicesStream((0..<choices).map(chat(ofChoice:)), by: attempt, bill, count: count, loop: loop)
            try await stream.open()
            return stream
        } catch {
            throw bill.failure(error)
        }
    }

    /// Makes the calls of all choices, and returns their whole responses as one.
    private func whole(by attempt: Attempt, _ bill: ChoicesBill) async throws(UpstreamError) -> LoggedStream {
        let kept = try await kept(bill)
        let made = try await attempt.several(
            choices - kept.count,
            atOnce: Self.atOnce,
            mayLackSome: chats.count == 1,
            hasSome: !kept.isEmpty
        ) { [self] (index, attempt) async throws(UpstreamError) in
            try await response(ofChoice: kept.count + index, bill, by: attempt)
        }
        let log = EventLog()
        ChatResponse(kept + made.flatMap { $0.choices.prefix(1) }, usage: nil).emit(log.append)
        return LoggedStream(log, usage: bill.usage ?? .nothing)
    }

    /// Returns the choices of the earlier response `first` that the client gets; empty without such a response. Adds
    /// the usage of that response, which is already billed, to `bill`.
    private func kept(_ bill: ChoicesBill) async throws(UpstreamError) -> [ChatResponse.Choice] {
        guard let first else { return [] }
        let counted = try await count.counted(try await first.gathered(), of: self)
        if let usage = counted.usage { bill.add(usage, ofChoice: 0) }
        return Array(counted.choices.prefix(choices - 1))
    }

    private func response(
        ofChoice index: Int,
        _ bill: ChoicesBill,
        by attempt: Attempt
    ) async throws(UpstreamError) -> ChatResponse {
        do throws(UpstreamError) {
            let answered = try await chat(ofChoice: index).gathered(by: attempt)
            let response = try await count.counted(answered, of: self)
            let tokens = response.usage?.completionTokens ?? 0
            bill.end(index, answered.usage, completionTokens: tokens, credits: response.credits, of: attempt)
            return response
        } catch {
            bill.end(index, with: error, of: attempt)
            throw error
        }
    }
}
