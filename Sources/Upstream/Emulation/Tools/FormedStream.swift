import Calls
import Engine
import Shared

/// The stream of a `FormedChat`: text goes on at once as far as it may, calls and documents when they are whole and valid.
///
/// `@unchecked`: used on its request's loop only.
final class FormedStream: ChatAnswerStream, @unchecked Sendable {
    private enum Place {
        case reading
        /// The vendor has ended, and the rest is to be handed over.
        case ended
        case over
    }

    private let repair: Repair
    private let promptTokens: Int
    /// The answer has come as a whole, and so does that of a repair.
    private let isWhole: Bool
    /// Of an answer, kept without being charged.
    private let freeBytes = MemoryBudget.smallBytes
    private var stream: any ChatAnswerStream
    private var answer: FormedAnswer
    private var place = Place.reading
    /// A repair is under way: the answer before it.
    private var first: FormedAnswer?
    /// In the repair.
    private var asked: ChatCall?
    private var finish = FinishReason.stop
    /// The sequence that ended the answer; empty: none did.
    private var stopSequence = ByteBuffer()
    private var hold: MemoryHold?
    private var counted: Usage?
    private var taken: Int?

    init(_ stream: any ChatAnswerStream, _ repair: Repair, promptTokens: Int) {
        self.stream = stream
        self.repair = repair
        self.promptTokens = promptTokens
        isWhole = stream is WholeAnswer
        answer = FormedAnswer(repair.form, ids: repair.means.ids)
    }

    /// Of both calls.
    var usage: Usage? { counted }
    let countsItself = true
    var credits: Int? { taken }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        switch place {
        case .over: return .end
        case .ended: return .bytes
        case .reading: break
        }
        if answer.isBehind { try await answer.judge(by: repair.means) }
        // A model that answers its own calls is stopped, and billed no more.
        if answer.wantsMore {
            let arrival = try await stream.more(patienceNanoseconds: patienceNanoseconds)
            guard arrival == .end else { return arrival }
        }
        try await count()
        try await end()
        return .bytes
    }

    private func count() async throws(UpstreamError) {
        let reported = stream.usage
        let tokens = reported?.isReported ?? false ? 0 : try await answer.tokens(by: repair.count)
        let usage = repair.count.completed(reported, prompt: { askedTokens }, completion: { tokens })
        counted = (counted ?? .nothing) + usage
        if let credits = stream.credits { taken = (taken ?? 0) + credits }
        stream.stop()
    }

    private var askedTokens: Int {
        asked?.promptTokens(by: repair.count.counter) ?? repair.count.promptTokens(or: promptTokens)
    }

    /// Text that was found at the end waits in `rest`.
    private var rest = ByteBuffer()

    /// Whether the model was stopped before its end.
    private var isCut: Bool { finish == .length || finish == .contentFilter }

    private func end() async throws(UpstreamError) {
        answer.finish(isCut: isCut) { [self] text in if first == nil { rest.append(text) } }
        try await answer.judge(by: repair.means)
        answer.conclude()
        guard let problem = answer.problem, !isCut else {
            place = .ended
            return
        }
        guard first == nil, !repair.form.isRepair, answer.raw.count <= FormedAnswer.repairedBytes else {
            guard !repair.form.isInsisting, !isUnmetForm else {
                throw UpstreamError.unmet(problem.text, after: counted)
            }
            place = .ended
            return
        }
        let again = repair.call(after: answer.raw.text, problem)
        do throws(UpstreamError) {
            let chat = try await repair.preparing(again)
            if isWhole { stream = WholeAnswer(try await chat.answer()) } else { stream = try await chat.stream() }
        } catch {
            throw error.alsoAfter(counted)
        }
        asked = again
        first = answer
        answer = FormedAnswer(repair.form, ids: repair.means.ids)
        finish = .stop
        stopSequence.removeAll()
    }

    /// A document was asked for beside tools, and there is neither.
    private var isUnmetForm: Bool { repair.form.format != nil && answer.calls.isEmpty && answer.text == nil }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        switch place {
        case .over: return false
        case .ended:
            place = .over
            handOver(take)
            return true
        case .reading:
            if answer.bytes > freeBytes { try takeMemory() }
            // Read once: most events are text that goes on.
            let (answer, isFirst) = (answer, first == nil)
            return try stream.next { [self] _, event in
                switch event {
                case .text(let text, _):
                    if let text = answer.plain(text) {
                        if isFirst { take(0, .text(text)) }
                    } else {
                        answer.take(text) { text in if isFirst { take(0, .text(text)) } }
                    }
                case .finish(let reason, let stop):
                    finish = reason
                    if let stop { stopSequence.append(stop) }
                // A vendor may tell calls in its own form all the same.
                case .toolCall(let index, _, let name): answer.begin(call: index, name)
                case .toolArguments(let index, let piece): answer.add(arguments: piece, toCall: index)
                case .signature(.some, _): break
                default: if isFirst { take(0, event) }
                }
            }
        }
    }

    private func takeMemory() throws(UpstreamError) {
        guard repair.means.memory.covers(answer.heldBytes + (first?.heldBytes ?? 0), &hold) else {
            throw UpstreamError(TransportError(.overloaded))
        }
    }

    private func handOver(_ take: (Int, AnswerEvent) -> Void) {
        let isRepaired = answer.problem == nil
        // Of a repair only the calls are taken; if it failed, the first answer's calls, and the rest of it as text.
        let chosen = isRepaired ? answer : first ?? answer
        if !rest.isEmpty { take(0, .text(rest.bytes)) }
        if let text = chosen.text { pass(text) { take(0, .text($0)) } }
        if !isRepaired { pass(chosen.unfitText) { take(0, .text($0)) } }
        let calls = isRepaired ? (first.map { $0.calls } ?? []) + answer.calls : chosen.calls
        for (index, call) in calls.enumerated() {
            pass(call.id) { id in pass(call.name) { name in take(0, .toolCall(index: index, id: id, name: name)) } }
            pass(call.arguments) { take(0, .toolArguments(index: index, $0)) }
        }
        let stop = calls.isEmpty && !stopSequence.isEmpty ? stopSequence.bytes : nil
        let withoutCalls = finish == .toolCalls ? FinishReason.stop : finish
        take(0, .finish(calls.isEmpty || isCut ? withoutCalls : .toolCalls, stop: stop))
    }

    private func pass(_ text: String, _ take: (UnsafeRawBufferPointer) -> Void) {
        text.withBytes { if !$0.isEmpty { take($0) } }
    }

    func stop() {
        place = .over
        hold = nil
        stream.stop()
    }
}

extension UpstreamError {
    /// The vendor bills it.
    static func unmet(_ problem: String, after usage: Usage? = nil) -> UpstreamError {
        var refusal = APIError(
            502,
            "The model's answer has not the form that the request demands: \(problem).",
            type: "server_error",
            code: "upstream_error"
        )
        refusal.isHopeless = true
        var error = UpstreamError(.failed, cause: refusal.message)
        error.remedy = []
        error.refusal = refusal
        error.isCut = true
        error.usage = usage
        return error
    }
}
