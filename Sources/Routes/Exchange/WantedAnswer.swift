import Calls
import Shared
import Upstream

/// The part of a call that its answer depends on; the call itself is given up once it is in its vendor's form.
struct WantedAnswer: Sendable {
    let model: String
    let isStreamed: Bool
    let includesUsage: Bool
    let choices: Int
    /// Calls are told in OpenAI's older form, `function_call`.
    let hasFunctions: Bool
    /// Counted for an answer that begins with it; else 0.
    let promptTokens: Int
    /// A vendor of the caller's wire may answer, whose answer goes on as it comes.
    let mayBeNative: Bool

    init(_ call: borrowing ChatCall, _ candidate: borrowing Candidate) {
        model = call.model
        isStreamed = call.isStreamed
        includesUsage = call.includesUsage
        choices = call.choices
        hasFunctions = call.needs.contains(.functions)
        promptTokens =
            if !call.opensWithUsage {
                0
            } else if candidate.reports.areExpected {
                // The last event has the count.
                call.roughTokens
            } else {
                call.promptTokens(by: .of(model: candidate.model.id))
            }
        mayBeNative = call.original != nil
    }
}
