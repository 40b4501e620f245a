/// A virtual model that calls several models in parallel and lets a summary model combine their responses.
package struct Panel: Sendable, Equatable {
    package enum Mode: String, CaseIterable, Sendable {
        case parallel
        /// A mode without members: only the summary model is called.
        case direct
    }

    /// The form in which a stream reports that a member has finished.
    package enum Feedback: String, CaseIterable, Sendable {
        case content
        case reasoning
        case comment
        case off
    }

    /// The members and the summary model of a panel, and the prompt of the summary model.
    package struct Cast: Sendable, Equatable {
        /// The member models; empty in direct mode.
        package let members: [String]
        package let summary: String
        package let prompt: String
    }

    /// The name that callers use.
    package let name: String
    package let mode: Mode
    package let text: Cast
    /// The models for calls whose last user message contains an image.
    package let vision: Cast
    /// The text before each member's response in the summary prompt; `{n}` is replaced by the member's number.
    package let label: String
    /// Whether the summary model gets the earlier messages.
    package let keepsHistory: Bool
    package let temperature: Double
    package let summaryTemperature: Double
    /// The largest number of attempts for each member.
    package let attempts: Int
    package let retryDelay: Duration
    /// The time limit of each attempt of a member.
    package let timeout: Duration
    package let summaryTimeout: Duration
    /// The time limit for all members together; zero: there is none.
    package let deadline: Duration
    /// The number of responses that the summary model needs. With fewer it is not called.
    package let minResponses: Int
    package let feedback: Feedback

    var casts: [Cast] { text == vision ? [text] : [text, vision] }

    /// The largest number of models that one request may call, including those of nested panels.
    package static let maxCalls = 64
}

extension Panel {
    /// A model or panel that the name of a member refers to.
    package enum Member: Sendable {
        /// A model, at one provider, or at all providers that serve it if `provider` is nil.
        case model(String, provider: Int?)
        case panel(Panel)
    }
}
