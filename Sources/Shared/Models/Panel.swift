/// A virtual model that asks several models at once, and has one more put their answers together.
package struct Panel: Sendable, Equatable {
    package enum Mode: String, CaseIterable, Sendable {
        case parallel
        /// It has no members: only the summary model is asked.
        case direct
    }

    /// The form in which a stream tells that a member has ended.
    package enum Feedback: String, CaseIterable, Sendable {
        case content
        case reasoning
        case comment
        case off
    }

    /// The models that are asked, and the prompt of the last one.
    package struct Cast: Sendable, Equatable {
        /// None in direct mode.
        package let members: [String]
        package let summary: String
        package let prompt: String
    }

    /// As callers name it.
    package let name: String
    package let mode: Mode
    package let text: Cast
    /// For calls whose last turn of the user has a picture.
    package let vision: Cast
    /// Stands before each answer; `{n}` is its number.
    package let label: String
    /// The summary model gets the earlier messages.
    package let keepsHistory: Bool
    package let temperature: Double
    package let summaryTemperature: Double
    /// Of each member.
    package let attempts: Int
    package let retryDelay: Duration
    /// Of each attempt.
    package let timeout: Duration
    package let summaryTimeout: Duration
    /// Of all members together; zero: there is none.
    package let deadline: Duration
    /// With fewer the summary model is not asked.
    package let leastAnswers: Int
    package let feedback: Feedback

    var casts: [Cast] { text == vision ? [text] : [text, vision] }

    /// The most models that one request may ask, with those of panels in it.
    package static let mostCalls = 64
}

extension Panel {
    /// A panel's name for a model or another panel, resolved.
    package enum Member: Sendable {
        /// A model, at one provider or at all that serve it.
        case model(String, provider: Int?)
        case panel(Panel)
    }
}
