import Engine

/// What kind of picture some bytes are, by their beginning.
package enum PictureType: Sendable {
    case png, jpeg, webp, gif, svg

    package init?(_ bytes: UnsafeRawBufferPointer) {
        if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) {
            self = .png
        } else if bytes.starts(with: [0xff, 0xd8, 0xff]) {
            self = .jpeg
        } else if bytes.count >= 12, bytes.hasPrefix("RIFF"), bytes[part: 8..<12].equals("WEBP") {
            self = .webp
        } else if bytes.hasPrefix("GIF87a") || bytes.hasPrefix("GIF89a") {
            self = .gif
        } else if Self.isSVG(bytes[part: 0..<min(1_024, bytes.count)].text) {
            self = .svg
        } else {
            return nil
        }
    }

    var fileExtension: String { self == .jpeg ? "jpg" : "\(self)" }

    var mediaType: String {
        switch self {
        case .png: "image/png"
        case .jpeg: "image/jpeg"
        case .webp: "image/webp"
        case .gif: "image/gif"
        case .svg: "image/svg+xml"
        }
    }

    private static func isSVG(_ beginning: String) -> Bool {
        beginning.drop { $0.isWhitespace || $0 == "\u{feff}" }.first == "<" && beginning.contains("<svg")
    }
}
