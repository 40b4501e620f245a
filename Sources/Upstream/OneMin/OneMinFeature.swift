import Shared

/// A feature of the vendor. The raw value is the `type` of a call.
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

    /// The feature as catalogues name it.
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

    /// The kind of the caller's request from which calls of this feature are made.
    var fields: OneMinFields {
        switch self {
        case .chat, .code: .chat
        case .image, .imageEdit, .imageInpaint, .imageVariation: .images
        case .textToSpeech: .speech
        case .speechToText, .audioTranslation: .transcription
        }
    }
}

/// A model used with one of the vendor's features.
struct OneMinUse: Hashable, Sendable {
    let model: String
    let feature: OneMinFeature
}
