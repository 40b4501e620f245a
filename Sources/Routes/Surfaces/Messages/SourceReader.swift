import Engine
import Shared
import Upstream

/// A reader for the member `source` of an image or document block of the Messages API.
struct SourceReader {
    private let block: JSONValue
    /// The path of the content block in the request, such as `messages[0].content[1]`, for error messages.
    private let path: String
    private let reader: AttachmentReader

    typealias Source = (type: UnsafeRawBufferPointer, value: JSONValue)

    init(_ block: JSONValue, _ path: String) {
        self.block = block
        self.path = path
        reader = AttachmentReader(part: block, path: path)
    }

    func source() throws(APIError) -> Source {
        guard let source = try block.object("source", path) else { throw .missing("\(path).source") }
        return (try text(source, "type"), source)
    }

    func title() throws(APIError) -> String? { try reader.name("title", of: block, path) }

    func image() throws(APIError) -> Attachment {
        let (type, source) = try source()
        switch type {
        case "base64":
            let media = try text(source, "media_type")
            guard media.hasPrefix("image/") else {
                throw .value("\(path).source.media_type", "must be image/png, image/jpeg, image/gif or image/webp")
            }
            return try reader.image(try text(source, "data"), "\(path).source.data")
        case "url":
            let param = "\(path).source.url"
            let url = try text(source, "url")
            guard let data = DataURL(url) else {
                return reader.new(.image, .address(try reader.address(url, param)), param: param)
            }
            return try reader.image(data.base64, param)
        case "file": return stored(.image, try text(source, "file_id"), name: nil)
        default: throw .value("\(path).source.type", "must be base64, url or file")
        }
    }

    func file(_ source: Source, name: String?) throws(APIError) -> Attachment {
        switch source.type {
        case "base64":
            _ = try text(source.value, "media_type")
            let param = "\(path).source.data"
            let data = try reader.data(try text(source.value, "data"), .file, param: param)
            return reader.new(.file, .data(data), name: name ?? "document", param: param)
        case "url":
            let url = try text(source.value, "url")
            return try reader.document(at: url, name: name ?? "document", param: "\(path).source.url")
        case "file": return stored(.file, try text(source.value, "file_id"), name: name)
        default: throw .value("\(path).source.type", "must be base64, text, content, url or file")
        }
    }

    /// Returns the text of a document whose source has the type `text`.
    func text(_ source: JSONValue) throws(APIError) -> String { try text(source, "data").text }

    private func stored(_ kind: Attachment.Kind, _ id: UnsafeRawBufferPointer, name: String?) -> Attachment {
        reader.new(kind, .file(id: id.text), name: name, param: "\(path).source.file_id")
    }

    private func text(_ source: JSONValue, _ name: StaticString) throws(APIError) -> UnsafeRawBufferPointer {
        try source.requiredText(name, "\(path).source")
    }
}
