import Shared

/// The options of a chat call that are needed to write its response.
package struct FormatterOptions: Sendable {
    package let model: String
    package let isStreamed: Bool
    package let includesUsage: Bool
    package let choices: Int
    /// Whether tool calls are written as `function_call`, OpenAI's legacy form.
    package let hasFunctions: Bool
    /// The number of prompt tokens; 0 if the response does not report usage at the beginning.
    package let promptTokens: Int
    /// Whether a vendor may get the client's request unchanged and respond in the client's API.
    package internal(set) var mayBeNative: Bool

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
