/// A virtual model that calls several models in parallel and lets a summary model combine their responses.
package struct Panel: Sendable, Equatable {
    package enum Mode: String, CaseIterable, Sendable {
        case parallel
        /// A mode without member models: only the summary model is called.
        case direct
    }

    /// The way in which a streamed response shows that a member has finished.
    package enum Feedback: String, CaseIterable, Sendable {
        case content
        case reasoning
        case comment
        case off
    }

    /// The member models and the summary model of a panel, with the summary prompt.
    package struct Cast: Sendable, Equatable {
        /// The names of the member models; empty in the mode `direct`.
        package let members: [String]
        package let summary: String
        package let prompt: String
    }

    /// The model name by which callers use the panel.
    package let name: String
    package let mode: Mode
    package let text: Cast
    /// The models for requests whose last user message contains an image.
    package let vision: Cast
    /// The text before each member's response in the summary prompt. `{n}` stands for the member's number.
    package let label: String
    /// Whether the summary model gets the earlier messages of the chat.
    package let keepsHistory: Bool
    package let temperature: Double
    package let summaryTemperature: Double
    /// The largest number of attempts to call each member.
    package let attempts: Int
    package let retryDelay: Duration
    /// The time limit for each attempt to call a member.
    package let timeout: Duration
    package let summaryTimeout: Duration
    /// The time limit for all members together; zero if there is no limit.
    package let deadline: Duration
    /// The smallest number of members that must respond. With fewer responses, the summary model is not called.
    package let minResponses: Int
    package let feedback: Feedback

    package var casts: [Cast] { text == vision ? [text] : [text, vision] }

    /// The largest number of models that one request to a panel may call, with nested panels.
    package static let maxCalls = 64

    package enum Member: Sendable {
        /// A model at one provider; at all providers that serve it if `provider` is nil.
        case model(String, provider: Int?)
        case panel(Panel)
    }
}
