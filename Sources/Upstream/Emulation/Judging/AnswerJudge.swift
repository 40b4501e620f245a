import Calls
import Engine
import Shared

/// Judges if an answer is as its call demands, for a vendor that does not see to that for certain.
final class AnswerJudge: Sendable {
    enum Demand: Sendable {
        case call(ToolDemand)
        case document(FormatProtocol)
    }

    let demand: Demand
    let memory: MemoryBudget
    private let worker: WorkQueue
    private let loop: EventLoop

    /// Nil: nothing is demanded that the vendor is asked for in a form of its own.
    init?(
        _ call: borrowing ChatCall,
        by abilities: Abilities,
        within memory: MemoryBudget,
        _ worker: WorkQueue,
        on loop: EventLoop
    ) {
        if call.needs.contains(.toolChoice) {
            // With a call the format does not count.
            guard abilities.contains(.toolChoice) else { return nil }
            demand = .call(ToolDemand(call.wishes.toolChoice))
        } else {
            // A schema that cannot be read is the vendor's to refuse.
            guard call.needs.intersection([.objects, .schemas]).isSubset(of: abilities),
                let format = call.wishes.format.judged
            else { return nil }
            demand = .document(format)
        }
        self.memory = memory
        self.worker = worker
        self.loop = loop
    }

    /// The text of an answer that has come as a whole; nil: it stays as it is. Throws if it is not as demanded.
    func text(of choice: ChatAnswer.Choice) async throws(UpstreamError) -> Body? {
        guard choice.finish.isOfChoice, choice.refusal == nil else { return nil }
        switch demand {
        case .call(let demand):
            if let problem = demand.unmet(by: choice.toolCalls.map(\.name)) { throw Self.failure(problem) }
            return nil
        case .document:
            return choice.toolCalls.isEmpty ? try await document(in: choice.text ?? Body(ByteBuffer())) : nil
        }
    }

    /// The document, without a code fence or chatter around it.
    func document(in text: Body) async throws(UpstreamError) -> Body {
        guard case .document(let format) = demand else { return text }
        let verdict = await worker.result(ofBytes: text.bytes.count, on: loop) { () -> StructuredAnswer.Verdict? in
            if case .fits = StructuredValue(text: text, format: format).judged() { return nil }
            var answer = StructuredAnswer(format)
            answer.take(text.bytes)
            return answer.finish()
        }
        guard let verdict else { throw .tooMuchWork }
        switch verdict {
        case nil: return text
        case .document(let document): return Body(ByteBuffer(document))
        case .unfit(let why): throw Self.failure(why)
        }
    }

    /// Throws unless the text is the document and nothing else.
    func check(_ text: Body) async throws(UpstreamError) {
        guard case .document(let format) = demand else { return }
        let value = StructuredValue(text: text, format: format)
        switch await worker.result(ofBytes: text.bytes.count, on: loop, { value.judged() }) {
        case .fits: return
        case .misfit(let why), .broken(let why): throw Self.failure(why)
        case nil: throw .tooMuchWork
        }
    }

    /// Of an answer that nobody was told of: the same may be asked for in words.
    static func failure(_ problem: String) -> UpstreamError {
        var error = UpstreamError.unmet(problem)
        error.remedy = .asText
        return error
    }
}

extension FinishReason {
    /// The model has said all that it wanted to say.
    var isOfChoice: Bool { self == .stop || self == .toolCalls }
}

extension Wishes.Format {
    /// Nil: no document is demanded, or its schema cannot be read.
    fileprivate var judged: FormatProtocol? {
        switch self {
        case .text: nil
        case .object, .schema(_, _, isStrict: true): try? FormatProtocol(self)
        case .schema: nil
        }
    }
}
