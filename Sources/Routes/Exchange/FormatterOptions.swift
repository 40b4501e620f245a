import Calls
import Shared
import Upstream

/// The options of a chat call that are needed to write its response. The call itself is released as soon as it has been
/// converted into the vendor's form.
struct FormatterOptions: Sendable {
    let model: String
    let isStreamed: Bool
    let includesUsage: Bool
    let choices: Int
    /// Whether tool calls are written as `function_call`, OpenAI's legacy form.
    let hasFunctions: Bool
    /// The counted or estimated tokens of the prompt, for a response that begins with its usage; 0 for other responses.
    let promptTokens: Int
    /// Whether a vendor that uses the client's own API may serve the call. Its chunks are then forwarded unchanged.
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
