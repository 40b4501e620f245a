import Shared

/// A feature of 1min.ai. The raw value is the member `type` of a request.
enum OneMinFeature: String, CaseIterable, Sendable {
    case chat = "UNIFY_CHAT_WITH_AI"
    case code = "CODE_GENERATOR"
    case image = "IMAGE_GENERATOR"
    case imageEdit = "IMAGE_EDITOR"
    case imageInpaint = "IMAGE_INPAINTER"
    case imageVariation = "IMAGE_VARIATOR"
    case textToSpeech = "TEXT_TO_SPEECH"
    case speechToText = "SPEECH_TO_TEXT"
    case audioTranslation = "AUDIO_TRANSLATOR"

    /// The corresponding feature in the relay's model catalogue.
    var listed: Model.Features {
        switch self {
        case .chat: .chat
        case .code: .code
        case .image: .image
        case .imageEdit: .imageEdit
        case .imageInpaint: .imageInpaint
        case .imageVariation: .imageVariation
        case .textToSpeech: .textToSpeech
        case .speechToText: .speechToText
        case .audioTranslation: .audioTranslation
        }
    }

    /// The kind of client request that uses this feature. Errors name the fields of this kind of request.
    var fields: OneMinFields {
        switch self {
        case .chat, .code: .chat
        case .image, .imageEdit, .imageInpaint, .imageVariation: .images
        case .textToSpeech: .speech
        case .speechToText, .audioTranslation: .transcription
        }
    }
}

/// A model in combination with a feature of 1min.ai.
struct OneMinUse: Hashable, Sendable {
    let model: String
    let feature: OneMinFeature
}

/// The kind of a client request, such as `images`. Errors translate 1min.ai's field names to those of this kind.
enum OneMinFields {
    case chat
    case images
    case speech
    case transcription
    case file

    /// Returns the client's name for a field of 1min.ai; nil if the client's request has no such field.
    /// - Parameter field: the vendor's name, such as `promptObject.imageUrl`.
    func param(_ field: String) -> String? {
        let names = field.split(separator: ".").drop { $0 == "promptObject" || $0 == "settings" }
        guard let name = names.first else { return nil }
        switch (self, name) {
        case (.file, _): return nil
        case (_, "model"): return "model"
        case (.chat, "prompt"), (.chat, "attachments"): return "messages"
        case (.chat, "webSearchSettings"): return "web_search_options"
        case (.images, "imageUrl"): return "image"
        case (.images, "maskUrl"): return "mask"
        case (.images, "aspect_ratio"): return "size"
        case (.images, "prompt"), (.images, "n"), (.images, "size"), (.images, "quality"), (.images, "style"),
            (.images, "background"), (.images, "output_format"), (.images, "output_compression"):
            return String(name)
        case (.speech, "text"): return "input"
        case (.speech, "voice"), (.speech, "response_format"), (.speech, "speed"): return String(name)
        case (.transcription, "audioUrl"): return "file"
        case (.transcription, "language"), (.transcription, "prompt"), (.transcription, "response_format"),
            (.transcription, "temperature"):
            return String(name)
        default: return nil
        }
    }
}
