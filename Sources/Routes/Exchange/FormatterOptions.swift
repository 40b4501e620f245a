import Calls
import Shared
import Upstream

/// The options of a chat call that are needed to write its response. They are copied, because the `ChatCall` is
/// released before the response is written.
struct FormatterOptions: Sendable {
    let model: String
    let isStreamed: Bool
    let includesUsage: Bool
    let choices: Int
    /// Whether tool calls are written as `function_call`, OpenAI's legacy form.
    let hasFunctions: Bool
    /// The number of prompt tokens, which the relay counts or estimates; 0 if the response does not report its usage at
    /// the beginning.
    let promptTokens: Int
    /// Whether a vendor with the same API as the client can serve the call. The relay forwards such a vendor's chunks
    /// unchanged.
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
