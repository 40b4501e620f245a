/// A model of a vendor.
public struct Model: Sendable, Equatable {
    /// The functions that it has at the vendor. Public, as only that is inlined in other modules: sets are made on each
    /// request.
    public struct Features: OptionSet, Sendable {
        public let rawValue: UInt16

        @inlinable
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        @inlinable public static var chat: Features { Features(rawValue: 1) }
        @inlinable public static var image: Features { Features(rawValue: 2) }
        @inlinable public static var imageEdit: Features { Features(rawValue: 4) }
        @inlinable public static var imageInpaint: Features { Features(rawValue: 8) }
        @inlinable public static var imageVariation: Features { Features(rawValue: 16) }
        @inlinable public static var textToSpeech: Features { Features(rawValue: 32) }
        @inlinable public static var speechToText: Features { Features(rawValue: 64) }
        @inlinable public static var audioTranslation: Features { Features(rawValue: 128) }
        @inlinable public static var code: Features { Features(rawValue: 256) }

        /// Chats may be put to models of one of these.
        @inlinable public static var chatting: Features { Features(rawValue: 1 | 2 | 32 | 256) }
    }

    /// Of the name that a caller gives.
    package static let nameLimitBytes = 200

    /// As the vendor wants it.
    package let id: String
    /// Its owner.
    package let owner: String
    package let features: Features
    /// Chat takes images.
    package let hasVision: Bool
    /// Tokens; nil: unknown.
    package let contextWindow: Int?
    /// Tokens; nil: unknown.
    package let maxOutputTokens: Int?
    /// From then on its vendor does not serve it; nil: not known.
    package var shutdownDate: Day?
    /// As its vendor's list tells them.
    package var creditPrices = CreditPrices()
    /// Whether chats with the model search the web unless they say no.
    package var searchesWeb = false
    /// Nil: not known.
    let vocabulary: Vocabulary.Name?

    package init(
        id: String,
        owner: String,
        features: Features,
        hasVision: Bool,
        contextWindow: Int?,
        maxOutputTokens: Int?
    ) {
        self.id = id
        self.owner = owner
        self.features = features
        self.hasVision = hasVision
        self.contextWindow = contextWindow
        self.maxOutputTokens = maxOutputTokens
        vocabulary = Vocabulary.Name(model: id)
    }

    /// A model that the catalogue does not know: the vendor decides what it can do.
    package init(unknown id: String) {
        self.init(
            id: id,
            owner: "",
            features: [
                .chat, .image, .imageEdit, .imageInpaint, .imageVariation, .textToSpeech, .speechToText,
                .audioTranslation,
            ],
            hasVision: true,
            contextWindow: nil,
            maxOutputTokens: nil
        )
    }

    /// Some endpoint can use it. Only whisper-1 translates here: others want a target language, by names that are not known.
    var isServed: Bool { !features.subtracting(.audioTranslation).isEmpty }

    /// Its vendor does not serve it any more.
    var hasEnded: Bool { shutdownDate.map { $0 <= .today } ?? false }

    /// A model that chats, of which nothing else is known.
    package init(chatModel id: String, owner: String) {
        self.init(
            id: id,
            owner: owner,
            features: .chat,
            hasVision: false,
            contextWindow: nil,
            maxOutputTokens: nil
        )
    }
}

extension TokenCounter {
    /// The same of a model whose vocabulary was looked up.
    package static func of(_ model: borrowing Model) -> TokenCounter {
        TokenCounters.ofProcess.counters.counter(by: model.vocabulary)
    }
}
