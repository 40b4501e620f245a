import Calls
import Engine
import Shared

/// The parts of one turn as they are written.
struct GeminiParts {
    private(set) var isEmpty = true

    /// The place of one more part.
    mutating func open(to out: inout ByteBuffer) {
        if !isEmpty { out.append(",") }
        isEmpty = false
    }

    /// Nothing if it is empty, which is refused.
    mutating func append(text: String, signature: String? = nil, to out: inout ByteBuffer) {
        guard !text.isEmpty || signature != nil else { return }
        open(to: &out)
        out.append(#"{"text":"#)
        out.append(json: text)
        if let signature { out.append("thoughtSignature", signature) }
        out.append("}")
    }

    /// Parts that are written already.
    mutating func append(parts: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        open(to: &out)
        out.append(parts)
    }

    mutating func append(_ part: Attachment, to out: inout ByteBuffer) {
        switch part.source {
        case .words(let text), .file(let text), .address(let text): append(text: text, to: &out)
        case .kept(let address):
            open(to: &out)
            out.append(#"{"fileData":{"fileUri":"#)
            out.append(json: address)
            if let type = Self.type(ofAddress: address, part.kind) { out.append("mimeType", type) }
            out.append("}}")
        case .data(let text):
            open(to: &out)
            out.append(#"{"inlineData":{"mimeType":""#)
            out.append(Self.type(of: text, part.kind))
            out.append(#"","data":""#)
            out.append(jsonContent: text.base64.bytes)
            out.append(#""}}"#)
        }
    }

    /// By its ending, as most files in a cloud have one. Nil: it is a file of the vendor's own, which knows its type.
    private static func type(ofAddress address: String, _ kind: Attachment.Kind) -> String? {
        switch address.suffix(8).lowercased().split(separator: ".").last {
        case "jpg", "jpeg": return "image/jpeg"
        case "png": return "image/png"
        case "webp": return "image/webp"
        case "gif": return "image/gif"
        case "heic": return "image/heic"
        case "pdf": return "application/pdf"
        case "txt", "md", "csv", "json", "xml": return "text/plain"
        case "mp3": return "audio/mp3"
        case "wav": return "audio/wav"
        case "mp4": return "video/mp4"
        default:
            guard address.hasPrefix(Attachment.cloudScheme) else { return nil }
            return kind == .picture ? "image/jpeg" : "application/pdf"
        }
    }

    private static func type(of text: Base64Text, _ kind: Attachment.Kind) -> String {
        switch text.contentType {
        case .json, .xml, .text: "text/plain"
        case .mp3: "audio/mp3"
        case let type?: type.rawValue
        case nil: kind == .picture ? "image/png" : kind == .sound ? "audio/wav" : "application/pdf"
        }
    }

    /// The reason why one of them cannot be sent; nil: all can.
    static func refusal(of attachments: [Attachment]) -> APIError? {
        for part in attachments {
            switch (part.kind, part.source) {
            case (_, .file): return part.refusalAsAbsent
            case (.picture, .data(let text)):
                if text.contentType == .svg {
                    return .picture(part.param, "is an SVG, which models do not see", code: "invalid_image_format")
                }
            case (.file, .data(let text)):
                guard let type = text.contentType, [.pdf, .text, .json, .xml].contains(type) else {
                    let why = "the model's provider takes PDF and plain text only"
                    return .value(part.param, why, code: "unsupported_value")
                }
            default: break
            }
        }
        return nil
    }
}
