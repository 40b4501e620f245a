/// A model of a vendor.
public struct Model: Sendable, Equatable {
    /// The functions of a model at its vendor. The type is public because only public code is inlined in other modules,
    /// and sets are made on each request.
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

        /// The features of which a model needs one to be used for chats.
        @inlinable public static var chatting: Features { Features(rawValue: 1 | 2 | 32 | 256) }
    }

    /// The longest model name that a caller may give, in bytes.
    package static let nameLimitBytes = 200

    /// The vendor's id of the model.
    package let id: String
    /// The owner of the model, as the vendor's list has it.
    package let owner: String
    package let features: Features
    /// Whether chats may contain images.
    package let hasVision: Bool
    /// The context window in tokens; nil if unknown.
    package let contextWindow: Int?
    /// The longest output in tokens; nil if unknown.
    package let maxOutputTokens: Int?
    /// The day from which the vendor no longer serves the model; nil if unknown.
    package var shutdownDate: Day?
    /// The prices in credits of the vendor's list.
    package var creditPrices = CreditPrices()
    /// Whether chats with the model search the web unless the request turns it off.
    package var searchesWeb = false
    /// The vocabulary that counts the model's tokens; nil if unknown.
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

    /// Creates a model that is not in the catalogue. The vendor decides what it can do, so it has all features.
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

    /// Whether some endpoint can use the model. Audio translation alone does not count: only whisper-1 is used for it,
    /// since other models need a target language whose names are unknown.
    var isServed: Bool { !features.subtracting(.audioTranslation).isEmpty }

    /// Whether the vendor no longer serves the model.
    var hasEnded: Bool { shutdownDate.map { $0 <= .today } ?? false }

    /// Creates a chat model of which nothing else is known.
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
    /// Returns the token counter for a model whose vocabulary was already looked up.
    package static func of(_ model: borrowing Model) -> TokenCounter {
        TokenCounters.ofProcess.counters.counter(by: model.vocabulary)
    }
}
