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
