import Calls
import Shared
import Upstream

/// The options of a chat call that are needed to write its response.
struct FormatterOptions: Sendable {
    let model: String
    let isStreamed: Bool
    let includesUsage: Bool
    let choices: Int
    /// Whether tool calls are written as `function_call`, OpenAI's legacy form.
    let hasFunctions: Bool
    /// The number of prompt tokens; 0 if the response does not report usage at the beginning.
    let promptTokens: Int
    /// Whether a vendor may get the client's request unchanged and respond in the client's API.
    let mayBeNative: Bool

    init(_ call: borrowing ChatCall, _ candidate: borrowing Candidate) {
        model = call.model
        isStreamed = call.isStreamed
        includesUsage = call.includesUsage
        choices = call.choices
        hasFunctions = call.needs.contains(.functions)
        promptTokens =
            if !call.opensWithUsage || call.original?.wire == .messages {
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
