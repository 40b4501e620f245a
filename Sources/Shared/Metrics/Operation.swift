/// A request that used a model, by the names of OpenTelemetry's conventions for generative AI.
package struct Operation {
    package enum Kind: Int, CaseIterable, Sendable {
        /// The kind that further series count under.
        case other
        case chat
        case textCompletion
        case embeddings
        /// The generation of images or speech.
        case generateContent
        case transcription
        case moderation

        /// The value of `gen_ai.operation.name`. The last two are not in the conventions' list.
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

        /// Whether the time to the first token is meaningful for this kind.
        var isOfTokens: Bool { self == .chat || self == .textCompletion }

        /// Returns the kind of a route, by its name in metrics; nil if the route uses no model.
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
    /// The model as the caller named it; nil if the request names none.
    package let model: String?
    /// The provider that was called last; nil if none was called.
    package let provider: String?
    package let status: Int
    /// The failure of the provider; nil if it did not fail.
    package let fault: UpstreamFault?
    package var durationNanoseconds: UInt64 = 0
    /// The time since the first upstream call; nil if there was none.
    package var callNanoseconds: UInt64?
    /// The time until the response began; nil if there was no response.
    package var firstTokenNanoseconds: UInt64?
    package var usage: Usage?

    package init(_ kind: Kind, model: String?, provider: String?, status: Int, fault: UpstreamFault?) {
        self.kind = kind
        self.model = model
        self.provider = provider
        self.status = status
        self.fault = fault
    }

    /// The number that stands for the error where `Series` has a status: 0 for success, a number above 100 for a failure
    /// of the vendor, else the HTTP status.
    var error: Int {
        if let fault { return Self.firstFault + fault.rawValue }
        return status < 400 ? 0 : status
    }

    private static let firstFault = 101

    /// Returns `error.type`: the provider's failure, or the status of the response.
    static func errorName(_ error: Int) -> String {
        UpstreamFault(rawValue: error - firstFault).map { "\($0.name)" } ?? String(error)
    }
}
