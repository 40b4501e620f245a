/// The type of a file's content, detected from the bytes.
package enum MediaType: String, CaseIterable, Sendable {
    case png = "image/png"
    case jpeg = "image/jpeg"
    case webp = "image/webp"
    case gif = "image/gif"
    case svg = "image/svg+xml"
    case mp3 = "audio/mpeg"
    case wav = "audio/wav"
    case flac = "audio/flac"
    case ogg = "audio/ogg"
    case opus = "audio/opus"
    case aac = "audio/aac"
    case m4a = "audio/mp4"
    case mp4 = "video/mp4"
    case webm = "audio/webm"
    case pdf = "application/pdf"
    case docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    case zip = "application/zip"
    case doc = "application/msword"
    case json = "application/json"
    case xml = "application/xml"
    case text = "text/plain"

    package enum Family: Sendable {
        case image
        case audio
        case document
    }

    package var family: Family {
        switch self {
        case .png, .jpeg, .webp, .gif, .svg: .image
        case .mp3, .wav, .flac, .ogg, .opus, .aac, .m4a, .mp4, .webm: .audio
        case .pdf, .docx, .zip, .doc, .json, .xml, .text: .document
        }
    }

    /// The file extension of this type, without a dot.
    package var fileExtension: String {
        switch self {
        case .jpeg: "jpg"
        case .text: "txt"
        // Each other case has the name of its extension.
        default: "\(self)"
        }
    }

    /// Returns `name` with an extension of this type. Keeps an extension that is common for this type.
    package func fileName(_ name: String) -> String {
        let dot = name.utf8.lastIndex(of: UInt8(ascii: "."))
        let given = dot.map { name[name.utf8.index(after: $0)...].lowercased() } ?? ""
        if given == fileExtension || aliases.contains(given) { return name }
        let stem = given.isEmpty ? name[...] : name[..<(dot ?? name.endIndex)]
        return "\(stem.isEmpty ? "file" : stem).\(fileExtension)"
    }

    private var aliases: Set<String> {
        switch self {
        case .jpeg: ["jpeg"]
        case .mp3: ["mpga", "mpeg"]
        case .ogg, .opus: ["oga", "ogg", "opus"]
        case .m4a, .mp4: ["m4a", "mp4", "m4b"]
        case .text: ["csv"]
        default: []
        }
    }
}
