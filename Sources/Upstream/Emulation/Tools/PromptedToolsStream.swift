import Engine
import Shared

/// A stream that finds tool calls and structured output in a vendor's text. It emits them when they are complete and
/// valid.
final class PromptedToolsStream: ChatStream, OnLoop, @unchecked Sendable {
    private enum StreamPhase {
        case reading
        /// The phase after the vendor's stream has ended: held events must still be emitted.
        case ended
        case over
    }

    private let repair: Repair
    private let promptTokens: Int
    /// Whether the response of a repair call is needed while it arrives.
    private let isStreamed: Bool
    private let attempt: Attempt
    /// The bytes that the response can hold without a reservation in the memory budget.
    private let freeBytes = MemoryBudget.smallBytes
    private var stream: any ChatStream
    private var response: PromptedToolsResponse
    private var phase = StreamPhase.reading
    /// The invalid response that the repair call corrects; nil before the repair call.
    private var first: PromptedToolsResponse?
    /// The call that asks the model to repair its invalid response; nil if no such call was made.
    private var asked: ChatCall?
    private var finish = FinishReason.stop
    /// The stop sequence that ended the response; empty if no stop sequence ended it.
    private var stopSequence = ByteBuffer()
    private var reservation: MemoryReservation?
    private var counted: Usage?
    private var taken: Int?

    init(_ stream: any ChatStream, _ repair: Repair, promptTokens: Int, isStreamed: Bool, by attempt: Attempt) {
        self.attempt = attempt
        self.stream = stream
        self.repair = repair
        self.promptTokens = promptTokens
        self.isStreamed = isStreamed
        response = PromptedToolsResponse(repair.form, ids: repair.context.ids)
    }

    /// The usage of the last call; nil before it has ended. The usage of a response that was repaired is billed.
    var usage: Usage? { counted }
    let countsItself = true
    var credits: Int? { taken }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        switch phase {
        case .over: return .end
        case .ended: return .bytes
        case .reading: break
        }
        if response.isBehind { try await response.validate(by: repair.context) }
        // A model that goes on after its tool calls is stopped, so that its further output is not billed.
        if response.wantsMore {
            let arrival = try await stream.more(patienceNanoseconds: patienceNanoseconds)
            guard arrival == .end else { return arrival }
        }
        try await count()
        try await end()
        return .bytes
    }

    private func count() async throws(UpstreamError) {
        let reported = stream.usage
        let tokens = reported?.isReported ?? false ? 0 : try await response.tokens(by: repair.count)
        let usage = repair.count.completed(reported, prompt: { askedTokens }, completion: { tokens })
        (counted, taken) = (usage, stream.credits)
        stream.stop()
    }

    private var askedTokens: Int {
        asked?.promptTokens(by: repair.count.counter) ?? repair.count.promptTokens(or: promptTokens)
    }

    /// The last text of the response, held because it could have belonged to a tool call.
    private var rest = ByteBuffer()
    /// The text in the response to the repair call. It is the answer if that response contains no tool call.
    private var repairText = ByteBuffer()
    /// Whether text that is not blank was emitted.
    private var hasWords = false
    /// Whether the emitted text ends with a line feed.
    private var endsLine = false

    /// Whether the token limit or a content filter cut off the output.
    private var isCut: Bool { finish == .length || finish == .contentFilter }

    private func end() async throws(UpstreamError) {
        response.finish(isCut: isCut) { [self] text in
            if first == nil { rest.append(text) } else { repairText.append(text) }
        }
        try await response.validate(by: repair.context)
        response.conclude()
        guard let problem = response.problem, !isCut else {
            phase = .ended
            return
        }
        guard first == nil, !repair.form.isRepair, response.raw.count <= PromptedToolsResponse.repairedBytes else {
            guard !repair.form.requiresValidOutput, !lacksDocument else {
                throw UpstreamError.unmet(problem.text, after: counted)
            }
            phase = .ended
            return
        }
        let again = repair.form.repairing(repair.call, response.raw.text, problem: problem)
        let (used, credits) = (counted ?? .nothing, taken)
        (counted, taken) = (nil, nil)
        try await attempt.nextRound(afterCorrected: used, credits: credits)
        stream = try await repair.preparing(again, attempt).open(isStreamed: isStreamed, by: attempt)
        asked = again
        first = response
        response = PromptedToolsResponse(repair.form, ids: repair.context.ids)
        finish = .stop
        stopSequence.removeAll()
    }

    /// Whether structured output was requested, but the response contains neither structured output nor tool calls.
    private var lacksDocument: Bool { repair.form.format != nil && response.calls.isEmpty && response.text == nil }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool {
        switch phase {
        case .over: return false
        case .ended:
            phase = .over
            handOver(emit)
            return true
        case .reading:
            if response.bytes > freeBytes { try reserveMemory() }
            // Read only once, because most events are text.
            let (response, isFirst) = (response, first == nil)
            return try stream.next { [self] _, event in
                switch event {
                case .text(let text, _):
                    if let text = response.plain(text) {
                        pass(text, isFirst: isFirst, emit)
                    } else {
                        response.consume(text) { pass($0, isFirst: isFirst, emit) }
                    }
                case .refusal(let text) where !isFirst: repairText.append(text)
                case .finish(let reason, let stop):
                    finish = reason
                    if let stop { stopSequence.append(stop) }
                // A vendor may still send tool calls in its own form.
                case .toolCall(let index, _, let name): response.begin(call: index, name)
                case .toolArguments(let index, let piece): response.add(arguments: piece, toCall: index)
                case .signature(.some, _): break
                default: if isFirst { emit(0, event) }
                }
            }
        }
    }

    private func reserveMemory() throws(UpstreamError) {
        let heldBytes = response.heldBytes + (first?.heldBytes ?? 0) + repairText.count
        guard repair.context.memory.covers(heldBytes, &reservation) else {
            throw UpstreamError(TransportError(.overloaded))
        }
    }

    private func handOver(_ emit: (Int, ChatEvent) -> Void) {
        let isRepaired = response.problem == nil
        // A repair contributes its calls, or else its text. If it failed, the first response's calls are used, and the
        // rest of that response as text.
        let chosen = isRepaired ? response : first ?? response
        if !rest.isEmpty { pass(rest.bytes, isFirst: true, emit) }
        if let text = chosen.text { pass(text) { emit(0, .text($0)) } }
        if !isRepaired { pass(chosen.invalidOutput) { emit(0, .text($0)) } }
        if isRepaired, response.calls.isEmpty, response.text == nil, let first { answerInWords(after: first, emit) }
        let calls = isRepaired ? (first.map { $0.calls } ?? []) + response.calls : chosen.calls
        for (index, call) in calls.enumerated() {
            pass(call.id) { id in pass(call.name) { name in emit(0, .toolCall(index: index, id: id, name: name)) } }
            pass(call.arguments) { emit(0, .toolArguments(index: index, $0)) }
        }
        let stop = calls.isEmpty && !stopSequence.isEmpty ? stopSequence.bytes : nil
        let withoutCalls = finish == .toolCalls ? FinishReason.stop : finish
        emit(0, .finish(calls.isEmpty || isCut ? withoutCalls : .toolCalls, stop: stop))
    }

    /// Emits the text of the response to the repair call. If it is blank and there is no other text, emits the invalid
    /// output that was to be repaired.
    private func answerInWords(after first: PromptedToolsResponse, _ emit: (Int, ChatEvent) -> Void) {
        if repairText.bytes.contains(where: { $0 > 32 }) {
            if hasWords, !endsLine { pass("\n") { emit(0, .text($0)) } }
            emit(0, .text(repairText.bytes))
        } else if !hasWords, first.calls.isEmpty {
            pass(first.invalidOutput) { emit(0, .text($0)) }
        }
    }

    /// Emits text of the first response. Holds back text of the response to the repair call.
    private func pass(_ text: UnsafeRawBufferPointer, isFirst: Bool, _ emit: (Int, ChatEvent) -> Void) {
        guard isFirst else { return repairText.append(text) }
        emit(0, .text(text))
        hasWords = hasWords || text.contains { $0 > 32 }
        endsLine = text.last == 10
    }

    private func pass(_ text: String, _ emit: (UnsafeRawBufferPointer) -> Void) {
        text.withBytes { if !$0.isEmpty { emit($0) } }
    }

    func stop() {
        phase = .over
        reservation = nil
        stream.stop()
    }
}

extension UpstreamError {
    /// Makes the error for a complete response that breaks the requested format or lacks a demanded tool call.
    static func unmet(_ problem: String, after usage: Usage? = nil) -> UpstreamError {
        var refusal = APIError(
            502,
            "The model's output does not match the format or the tools that the request demands: \(problem). Retry the request.",
            type: "server_error",
            code: "upstream_error"
        )
        refusal.isRetryUseless = true
        var error = UpstreamError(.failed, cause: refusal.message)
        error.recovery = []
        error.refusal = refusal
        error.isCut = true
        error.usage = usage
        return error
    }
}
