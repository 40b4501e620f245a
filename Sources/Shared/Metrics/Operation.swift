/// A request that asked for something a model makes, by the names of OpenTelemetry's conventions for generative AI.
package struct Operation {
    package enum Kind: Int, CaseIterable, Sendable {
        /// Further series count under it.
        case other
        case chat
        case textCompletion
        case embeddings
        /// Pictures and speech.
        case generateContent
        case transcription
        case moderation

        /// `gen_ai.operation.name`; the last two are not of the conventions' list.
        var name: String {
            switch self {
            case .other: "other"
            case .chat: "chat"
            case .textCompletion: "text_completion"
            case .embeddings: "embeddings"
            case .generateContent: "generate_content"
            case .transcription: "transcription"
            case .moderation: "moderation"
            }
        }

        /// The time to a first token says something of it.
        var isOfTokens: Bool { self == .chat || self == .textCompletion }

        /// By the name that a route has in counts; nil: no model is asked.
        package init?(route: String) {
            switch route {
            case "/chat/completions", "/responses", "/messages", "/generate", "/llm/chat", "/llm/chat/stream":
                self = .chat
            case "/completions": self = .textCompletion
            case "/embeddings": self = .embeddings
            case "/images/generations", "/images/edits", "/images/variations", "/audio/speech":
                self = .generateContent
            case "/audio/transcriptions", "/audio/translations": self = .transcription
            case "/moderations": self = .moderation
            default: return nil
            }
        }
    }

    package let kind: Kind
    /// As the caller named it; nil: none.
    package let model: String?
    /// The one that was called last; nil: nobody was.
    package let provider: String?
    package let status: Int
    /// Of the provider; nil: it did not fail.
    package let fault: UpstreamFault?
    package var durationNanoseconds: UInt64 = 0
    /// From the first call on; nil: nobody was called.
    package var callNanoseconds: UInt64?
    /// Nil: no answer was begun.
    package var firstTokenNanoseconds: UInt64?
    package var usage: Usage?

    package init(_ kind: Kind, model: String?, provider: String?, status: Int, fault: UpstreamFault?) {
        self.kind = kind
        self.model = model
        self.provider = provider
        self.status = status
        self.fault = fault
    }

    /// In place of a status: 0 is success, a fault has a number that is no status of an answer here.
    var error: Int {
        if let fault { return Self.firstFault + fault.rawValue }
        return status < 400 ? 0 : status
    }

    private static let firstFault = 101

    /// `error.type`: the provider's failure, or the status of the answer.
    static func errorName(_ error: Int) -> String {
        UpstreamFault(rawValue: error - firstFault).map { "\($0.name)" } ?? String(error)
    }
}
