/// A model of 1min.ai.
package struct Model: Sendable, Equatable {
    /// What the vendor can be asked to do with it.
    package struct Features: OptionSet, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let chat = Features(rawValue: 1)
        package static let image = Features(rawValue: 2)
        package static let imageEdit = Features(rawValue: 4)
        package static let imageInpaint = Features(rawValue: 8)
        package static let imageVariation = Features(rawValue: 16)
        package static let textToSpeech = Features(rawValue: 32)
        package static let speechToText = Features(rawValue: 64)
        package static let audioTranslation = Features(rawValue: 128)
        package static let code = Features(rawValue: 256)
    }

    /// Of the name that a caller gives.
    package static let nameLimitBytes = 200

    /// As the vendor wants it.
    package let id: String
    /// Who runs it.
    package let owner: String
    package let features: Features
    /// Chat takes images.
    package let hasVision: Bool
    /// Tokens; nil: unknown.
    package let contextWindow: Int?
    /// Tokens; nil: unknown.
    package let maxOutputTokens: Int?

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

extension Model {
    /// Reads `id owner features vision context-window max-output-tokens`; features are joined by commas, `-` is none.
    init?(line: Substring.UTF8View) {
        let words = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
        guard words.count == 6 else { return nil }
        var features: Features = []
        for name in words[2].utf8.split(separator: UInt8(ascii: ",")) {
            guard let feature = Model.feature(named: Substring(name)) else { return nil }
            features.insert(feature)
        }
        self.init(
            id: String(words[0]),
            owner: String(words[1]),
            features: features,
            hasVision: words[3] == "vision",
            contextWindow: Int(words[4]),
            maxOutputTokens: Int(words[5])
        )
    }

    private static func feature(named name: Substring) -> Features? {
        switch name {
        case "chat": .chat
        case "image": .image
        case "image_edit": .imageEdit
        case "image_inpaint": .imageInpaint
        case "image_variation": .imageVariation
        case "text_to_speech": .textToSpeech
        case "speech_to_text": .speechToText
        case "audio_translation": .audioTranslation
        case "code": .code
        default: nil
        }
    }
}
