import Calls
import Engine
import Shared

/// For vendors that take pictures, and files of text as a part of the text.
extension [Attachment] {
    /// The reason why one of them cannot be sent; nil: all can.
    var refusalBesidesPicturesAndText: APIError? {
        for part in self {
            switch (part.kind, part.source) {
            case (_, .file): return part.refusalAsAbsent
            case (.sound, .data), (.sound, .address): return part.refusalAsSound
            case (.picture, .data(let text)):
                guard text.contentType != .svg else {
                    return .picture(part.param, "is an SVG, which models do not see", code: "invalid_image_format")
                }
            case (.file, .data(let text)):
                guard let type = text.contentType, [.text, .json, .xml].contains(type) else {
                    return .value(part.param, "the model's provider takes plain text only", code: "unsupported_value")
                }
            default: break
            }
        }
        return nil
    }
}
