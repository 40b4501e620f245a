/// A model that a vendor offers, with its features and limits.
public struct Model: Sendable, Equatable {
    /// The functions that a model has at its vendor, such as chat.
    ///
    /// Public so that the compiler can inline its code in other modules.
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

        /// The features of models for chats. A model can serve chat requests if it has at least one of them.
        @inlinable public static var chatting: Features { Features(rawValue: 1 | 2 | 32 | 256) }
    }

    package static let nameLimitBytes = 200

    /// The vendor's id of the model.
    package let id: String
    /// The owner of the model according to the vendor's list, such as `openai`.
    package let owner: String
    package let features: Features
    /// Whether the model accepts images in chats.
    package let hasVision: Bool
    /// The context window in tokens; nil if unknown.
    package internal(set) var contextWindow: Int?
    /// The longest output in tokens; nil if unknown.
    package let maxOutputTokens: Int?
    /// The day from which the vendor no longer serves the model; nil if unknown.
    package var shutdownDate: Day?
    /// The prices of the model in credits, from 1min.ai's model list.
    package var creditPrices = CreditPrices()
    /// Whether chats with the model search the web, unless a request turns the search off.
    package var searchesWeb = false
    /// The name of the tokenizer's vocabulary for this model; nil if unknown.
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

    /// Creates a model that is not in the catalogue, with all features except code.
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

    /// Whether some endpoint of the relay can use the model.
    var isServed: Bool { !features.isEmpty }

    /// Whether the shutdown date of the model is reached, so the vendor no longer serves it.
    var hasEnded: Bool { shutdownDate.map { $0 <= .today } ?? false }

    /// Creates a chat model without vision and with unknown limits.
    package init(chatModel id: String, owner: String) {
        self.init(id: id, owner: owner, features: .chat, hasVision: false, contextWindow: nil, maxOutputTokens: nil)
    }
}

extension TokenCounter {
    package static func of(_ model: borrowing Model) -> TokenCounter {
        TokenCounters.ofProcess.counters.counter(by: model.vocabulary)
    }
}
