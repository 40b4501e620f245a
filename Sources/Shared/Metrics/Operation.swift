/// A request that used a model, as the `gen_ai_...` metrics of OpenTelemetry count it.
package struct Operation {
    package enum Kind: Int, CaseIterable, Sendable {
        /// The kind under which all further operations are counted together once there are too many time series.
        case other
        case chat
        case textCompletion
        case embeddings
        /// The generation of images or speech.
        case generateContent
        case transcription
        case moderation
        case rerank

        /// The value of the label `gen_ai.operation.name`. OpenTelemetry's conventions do not define the values
        /// `transcription`, `moderation` and `rerank`.
        var name: String {
            switch self {
            case .other: "other"
            case .chat: "chat"
            case .textCompletion: "text_completion"
            case .embeddings: "embeddings"
            case .generateContent: "generate_content"
            case .transcription: "transcription"
            case .moderation: "moderation"
            case .rerank: "rerank"
            }
        }

        /// Whether the time to the first token is measured for this kind: only for chats and text completions.
        var isOfTokens: Bool { self == .chat || self == .textCompletion }

        /// Creates the kind from the name of a route. Returns nil if the route uses no model.
        package init?(route: String) {
            switch route {
            case "/chat/completions", "/responses", "/messages", "/generate", "/llm/chat", "/llm/chat/stream":
                self = .chat
            case "/completions": self = .textCompletion
            case "/embeddings": self = .embeddings
            case "/images/generations", "/images/edits", "/images/variations", "/audio/speech": self = .generateContent
            case "/audio/transcriptions", "/audio/translations": self = .transcription
            case "/moderations": self = .moderation
            case "/rerank": self = .rerank
            default: return nil
            }
        }
    }

    package let kind: Kind
    /// The model as the caller named it; nil if the request has no model.
    package let model: String?
    /// The name of the provider that was called last; nil if no provider was called.
    package let provider: String?
    package let status: Int
    /// The failure of the provider; nil if the provider did not fail.
    package let fault: UpstreamFault?
    package var durationNanoseconds: UInt64 = 0
    /// The time from the request's admission to the end of its response; nil if no provider was called.
    package var callNanoseconds: UInt64?
    /// The time from the request's start to the response's first byte, which counts as the first token; nil without a
    /// response.
    package var firstTokenNanoseconds: UInt64?
    package var usage: Usage?

    package init(_ kind: Kind, model: String?, provider: String?, status: Int, fault: UpstreamFault?) {
        self.kind = kind
        self.model = model
        self.provider = provider
        self.status = status
        self.fault = fault
    }

    /// The error as a number for the metrics: 0 for success, otherwise the HTTP status. For a provider's failure, it is
    /// 101 plus the index of `fault`.
    var error: Int {
        if let fault { return Self.firstFault + fault.index }
        return status < 400 ? 0 : status
    }

    private static let firstFault = 101

    /// Returns the value of the label `error.type` for an error number.
    static func errorName(_ error: Int) -> String {
        let faults = UpstreamFault.allCases
        return faults.indices.contains(error - firstFault) ? faults[error - firstFault].rawValue : String(error)
    }
}
