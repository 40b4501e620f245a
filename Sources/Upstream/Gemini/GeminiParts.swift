import Engine
import Shared

/// The state of a turn's list of `parts` while the list is being written.
struct GeminiParts {
    private(set) var isEmpty = true

    /// Begins one more part: appends a comma unless the part is the first one.
    mutating func open(to out: inout ByteBuffer) {
        if !isEmpty { out.append(",") }
        isEmpty = false
    }

    /// Appends a text part. Appends nothing if there is neither text nor a signature.
    mutating func append(text: String, signature: String? = nil, to out: inout ByteBuffer) {
        // The API refuses a part with neither text nor a signature.
        guard !text.isEmpty || signature != nil else { return }
        open(to: &out)
        out.append(#"{"text":"#, json: text)
        if let signature { out.append("thoughtSignature", signature) }
        out.append("}")
    }

    /// Appends parts that are already written as JSON.
    mutating func append(parts: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        open(to: &out)
        out.append(parts)
    }

    mutating func append(_ part: Attachment, to out: inout ByteBuffer) {
        switch part.source {
        case .words(let text), .file(let text), .address(let text): append(text: text, to: &out)
        case .kept(let address):
            open(to: &out)
            out.append(#"{"fileData":{"fileUri":"#, json: address)
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

    /// Guesses the media type of a file from its URL; nil if the URL has no known extension and does not begin with
    /// `gs://`.
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
            guard address.begins(with: Attachment.cloudScheme) else { return nil }
            return kind == .image ? "image/jpeg" : "application/pdf"
        }
    }

    private static func type(of text: Base64Text, _ kind: Attachment.Kind) -> String {
        switch text.contentType {
        case .json, .xml, .text: "text/plain"
        case .mp3: "audio/mp3"
        case let type?: type.rawValue
        case nil: kind == .image ? "image/png" : kind == .audio ? "audio/wav" : "application/pdf"
        }
    }
}
