import Calls
import Shared
import Upstream

/// The options that writing the response needs. The call itself is released once it is in its vendor's form.
struct FormatterOptions: Sendable {
    let model: String
    let isStreamed: Bool
    let includesUsage: Bool
    let choices: Int
    /// Whether tool calls are written as `function_call`, OpenAI's legacy form.
    let hasFunctions: Bool
    /// The tokens of the prompt, for a response that begins with them; else 0.
    let promptTokens: Int
    /// Whether a vendor that speaks the client's API may serve the call, so that its chunks are forwarded.
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
                // The last event reports the true count.
                call.roughTokens
            } else {
                call.promptTokens(by: .of(model: candidate.model.id))
            }
        mayBeNative = call.original != nil
    }
}
