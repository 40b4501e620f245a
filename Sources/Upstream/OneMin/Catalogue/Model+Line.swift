import Shared

extension Model {
    /// Creates a model from a line of `OneMinModels.table`; nil if the line is invalid.
    ///
    /// A line has the form `gpt-4o openai chat,code vision 128000 16384`; `-` stands for a missing value.
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
