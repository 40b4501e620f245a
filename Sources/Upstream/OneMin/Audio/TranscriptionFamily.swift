import Engine
import Shared

/// A group of similar transcription models, with the request fields that they accept besides the audio.
struct TranscriptionFamily: Sendable {
    private enum Language { case code, region }

    private let formats: [TranscriptionCall.Format: String]
    private let hasPrompt: Bool
    private let hasTemperature: Bool
    private let language: Language
    private let ignoresStream: Bool

    init(of id: String) {
        let isWhisper = id == "whisper-1"
        let isOpenAI = isWhisper || id.hasPrefix("gpt-4o-transcribe")
        if isWhisper {
            // The vendor's documentation names only the format `text`, so JSON is requested as `text`.
            formats = [.json: "text", .text: "text", .srt: "srt", .vtt: "vtt", .verboseJSON: "verbose_json"]
        } else {
            formats = isOpenAI ? [.json: "json", .text: "json"] : [:]
        }
        hasPrompt = isOpenAI
        hasTemperature = isOpenAI
        language = Self.ofGoogle.contains(id) || id.hasPrefix("medical_") ? .region : .code
        ignoresStream = isWhisper
    }

    private static let ofGoogle: Set<String> = [
        "latest_long", "latest_short", "phone_call", "telephony", "telephony_short",
    ]

    /// Appends a call's options as members of the request's `promptObject`, each after a comma. Throws if the models do
    /// not support an option.
    func append(_ call: TranscriptionCall, to body: inout ByteBuffer) throws(APIError) {
        try appendFormat(call.format, to: &body)
        if call.purpose == .transcription { try append(language: call.language, to: &body) }
        if let prompt = call.prompt {
            guard hasPrompt else { throw .unsupported("prompt", "This model does not support a prompt.") }
            body.append("prompt", prompt)
        }
        if let temperature = call.temperature, hasTemperature || temperature != 0 {
            guard hasTemperature else {
                throw .unsupported("temperature", "This model does not support a temperature.")
            }
            body.append("temperature", temperature)
        }
        guard !call.isStreamed || ignoresStream else {
            throw .unsupported("stream", "Streaming transcriptions of this model is not supported.")
        }
    }

    private func appendFormat(_ format: TranscriptionCall.Format, to body: inout ByteBuffer) throws(APIError) {
        if let name = formats[format] { return body.append("response_format", name) }
        guard formats.isEmpty, format == .json || format == .text else {
            throw .unsupportedValue("response_format", "not supported by this model")
        }
    }

    private func append(language tag: String?, to body: inout ByteBuffer) throws(APIError) {
        switch language {
        case .code:
            guard let tag else { return }
            let code = tag.prefix { $0 != "-" }.lowercased()
            guard code.utf8.count == 2 else { throw .value("language", "must be a two-letter code for this model") }
            body.append("language", code)
        case .region:
            let tag = tag ?? "en"
            guard let wide = tag.contains("-") ? tag : Self.regions[tag.lowercased()] else {
                throw .value("language", "must include a region for this model, such as en-US")
            }
            body.append("language", wide)
        }
    }

    /// The language tag with a region for each language code: `en` becomes `en-US`.
    private static let regions: [String: String] = [
        "af": "af-ZA", "ar": "ar-EG", "bg": "bg-BG", "bn": "bn-IN", "ca": "ca-ES", "cs": "cs-CZ", "da": "da-DK",
        "de": "de-DE", "el": "el-GR", "en": "en-US", "es": "es-ES", "et": "et-EE", "fa": "fa-IR", "fi": "fi-FI",
        "fr": "fr-FR", "he": "iw-IL", "hi": "hi-IN", "hr": "hr-HR", "hu": "hu-HU", "id": "id-ID", "it": "it-IT",
        "ja": "ja-JP", "ko": "ko-KR", "lt": "lt-LT", "lv": "lv-LV", "ms": "ms-MY", "nb": "no-NO", "nl": "nl-NL",
        "no": "no-NO", "pl": "pl-PL", "pt": "pt-BR", "ro": "ro-RO", "ru": "ru-RU", "sk": "sk-SK", "sl": "sl-SI",
        "sr": "sr-RS", "sv": "sv-SE", "ta": "ta-IN", "te": "te-IN", "th": "th-TH", "tr": "tr-TR", "uk": "uk-UA",
        "ur": "ur-PK", "vi": "vi-VN", "zh": "cmn-Hans-CN",
    ]
}
