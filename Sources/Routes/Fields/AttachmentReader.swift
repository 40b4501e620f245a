import Engine
import Shared
import Upstream

/// A reader for message parts that are not text, such as images.
struct AttachmentReader {
    let part: JSONValue
    /// The path of the message part in the request, for error messages: `messages[0].content[1]`.
    let path: String

    func image() throws(APIError) -> Attachment {
        let param = "\(path).image_url"
        var image: Attachment
        if let id = part["file_id"]?.string {
            image = new(.image, .file(id: id), param: "\(path).file_id")
        } else {
            image = try imageOfURL(param)
        }
        let detail = (part["image_url"]?["detail"] ?? part["detail"])?.text
        image.detail = detail.flatMap { Attachment.Detail(word: $0) }
        return image
    }

    private func imageOfURL(_ param: String) throws(APIError) -> Attachment {
        guard let value = part["image_url"] else { throw .missing(param) }
        if let detail = value["detail"] ?? part["detail"], detail.text == nil {
            throw .type("\(param).detail", "a string")
        }
        guard value.kind != .object || value["url"] != nil else { throw .missing("\(param).url") }
        guard let url = value.text ?? value["url"]?.text else { throw .type(param, "a URL") }
        guard let data = DataURL(url) else { return new(.image, .address(try address(url, param)), param: param) }
        return try image(data.base64, param)
    }

    /// Returns an image from its Base64 text. Throws if there is none.
    func image(_ base64: UnsafeRawBufferPointer?, _ param: String) throws(APIError) -> Attachment {
        guard let base64, !base64.isEmpty else { throw .notBase64(param) }
        guard base64.count / 4 * 3 <= Attachment.Kind.image.limitBytes else {
            throw .image(param, "is too large", code: "image_too_large")
        }
        return new(.image, .data(Base64Text(base64)), param: param)
    }

    private static let addressBytes = 8_192

    func address(_ url: UnsafeRawBufferPointer, _ param: String) throws(APIError) -> String {
        guard Self.isAddress(url) else {
            throw .image(param, "must be a data:, https: or http: URL", code: "invalid_image_url")
        }
        return url.text
    }

    private static func isAddress(_ url: UnsafeRawBufferPointer) -> Bool {
        url.count <= addressBytes
            && ["http://", "https://", Attachment.cloudScheme].contains { (scheme: String) in
                url.prefix(scheme.utf8.count).elementsEqual(scheme.utf8) { $0 | 32 == $1 | 32 }
            }
    }

    /// Returns a document that the relay or the vendor downloads.
    func document(at url: UnsafeRawBufferPointer, name: String?, param: String) throws(APIError) -> Attachment {
        guard Self.isAddress(url) else { throw .value(param, "must be an https: or http: URL") }
        return new(.file, .address(url.text), name: name, param: param)
    }

    func file() throws(APIError) -> Attachment {
        let isNested = part["file"] != nil
        let file = part["file"] ?? part
        let filePath = isNested ? "\(path).file" : path
        guard file.kind == .object else { throw .type(filePath, "an object") }
        if let id = file["file_id"] {
            guard let id = id.string else { throw .type("\(filePath).file_id", "a string") }
            return new(.file, .file(id: id), param: "\(filePath).file_id")
        }
        let param = "\(filePath).file_data"
        guard let value = file["file_data"] else {
            guard file["file_url"] != nil else { throw .missing(isNested ? "\(filePath).file_id" : "\(path).file") }
            let url = try file.requiredText("file_url", filePath)
            let name = try name("filename", of: file, filePath)
            return try document(at: url, name: name ?? "document", param: "\(filePath).file_url")
        }
        guard let text = value.text else { throw .type(param, "a string") }
        let name = try name("filename", of: file, filePath)
        guard let base64 = DataURL(text).map(\.base64) ?? text else { throw .value(param, "is not valid base64") }
        return new(.file, .data(try data(base64, .file, param: param)), name: name, param: param)
    }

    /// Returns the caller's name for a file; nil if there is none.
    func name(_ member: StaticString, of file: JSONValue, _ path: String) throws(APIError) -> String? {
        guard let given = file[member] else { return nil }
        guard let given = given.text else { throw .type("\(path).\(member)", "a string") }
        let most = StoredFile.givenNameLimitBytes
        guard given.count <= most else { throw .tooLong("\(path).\(member)", given.count, limitBytes: most) }
        return given.text
    }

    func audio() throws(APIError) -> Attachment {
        let audioPath = "\(path).input_audio"
        guard let audio = part["input_audio"] else { throw .missing(audioPath) }
        let text = try audio.requiredText("data", audioPath)
        guard let format = audio["format"] else { throw .missing("\(audioPath).format") }
        guard format.text == "wav" || format.text == "mp3" else {
            throw .value("\(audioPath).format", "must be wav or mp3")
        }
        return new(.audio, .data(try data(text, .audio, param: "\(audioPath).data")), param: "\(audioPath).data")
    }

    func data(_ base64: UnsafeRawBufferPointer, _ kind: Attachment.Kind, param: String) throws(APIError) -> Base64Text {
        guard !base64.isEmpty else { throw .value(param, "is empty") }
        guard base64.count / 4 * 3 <= kind.limitBytes else { throw .value(param, "is too large") }
        return Base64Text(base64)
    }

    func new(_ kind: Attachment.Kind, _ source: Attachment.Source, name: String? = nil, param: String) -> Attachment {
        Attachment(kind, source, name: name, param: param)
    }
}
