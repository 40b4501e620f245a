import Engine
import Shared

@testable import Upstream

/// Returns all that the choices of a response contain as text.
func shown(_ choices: [ChatResponse.Choice]) -> [String] {
    choices.map { choice in
        let blocks = choice.reasoningBlocks.map {
            "\($0.text)/\($0.signature ?? "-")/\($0.isSealed)/\($0.textBytesBefore)/\($0.callsBefore)"
        }
        let calls = choice.toolCalls.map {
            "\($0.id ?? "-")/\($0.name)/\($0.arguments)/\($0.signature ?? "-")/\($0.contentBefore)"
        }
        let texts = [choice.text, choice.reasoning, choice.refusal, choice.stop].map { $0?.text ?? "-" }
        let marks = choice.marks.map { mark in
            let kind =
                switch mark.kind {
                case .message(let phase): phase.map { "\($0)" } ?? "-"
                case .annotation(let json): json.text
                }
            return "\(kind)/\(mark.textBytesBefore)/\(mark.callsBefore)/\(mark.reasoningBefore)"
        }
        return "\(texts) \(blocks) \(calls) \(choice.finish) \(marks)"
    }
}
