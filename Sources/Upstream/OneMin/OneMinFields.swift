/// The kind of a client request, such as `images`. Errors translate 1min.ai's field names to those of this kind.
enum OneMinFields {
    case chat
    case images
    case speech
    case transcription
    case file

    /// Returns the client's name for a field of 1min.ai; nil if the client's request has no such field.
    ///
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
