import Calls
import Engine
import Shared

/// Reads the `source` of an image or a document.
struct SourceReader {
    private let block: JSONValue
    /// The path of the block in the request, for errors.
    private let place: String
    private let reader: AttachmentReader

    typealias Source = (type: UnsafeRawBufferPointer, value: JSONValue)

    init(_ block: JSONValue, _ place: String) {
        self.block = block
        self.place = place
        reader = AttachmentReader(part: block, place: place)
    }

    func source() throws(APIError) -> Source {
        guard let source = try block.object("source", place) else { throw .missing("\(place).source") }
        guard let type = source.member("type") else { throw .missing("\(place).source.type") }
        guard let type = type.text else { throw .type("\(place).source.type", "a string") }
        return (type, source)
    }

    func title() throws(APIError) -> String? { try reader.name("title", of: block, place) }

    func picture() throws(APIError) -> Attachment {
        let (type, source) = try source()
        switch type {
        case "base64":
            let media = try text(source, "media_type")
            guard media.hasPrefix("image/") else {
                throw .value("\(place).source.media_type", "must be image/png, image/jpeg, image/gif or image/webp")
            }
            return try reader.picture(try text(source, "data"), "\(place).source.data")
        case "url":
            let param = "\(place).source.url"
            let url = try text(source, "url")
            guard let data = DataURL(url) else {
                return reader.new(.picture, .address(try reader.address(url, param)), param: param)
            }
            return try reader.picture(data.base64, param)
        case "file": return stored(.picture, try text(source, "file_id"), name: nil)
        default: throw .value("\(place).source.type", "must be base64, url or file")
        }
    }

    func file(_ source: Source, name: String?) throws(APIError) -> Attachment {
        switch source.type {
        case "base64":
            _ = try text(source.value, "media_type")
            let param = "\(place).source.data"
            let data = try reader.data(try text(source.value, "data"), .file, param)
            return reader.new(.file, .data(data), name: name ?? "document", param: param)
        case "url":
            let param = "\(place).source.url"
            let url = try text(source.value, "url")
            let isKnown = url.hasPrefix("https://") || url.hasPrefix("http://") || url.hasPrefix("gs://")
            guard isKnown, url.count <= AttachmentReader.addressBytes else {
                throw .value(param, "must be an https: or http: URL")
            }
            return reader.new(.file, .address(url.text), name: name ?? "document", param: param)
        case "file": return stored(.file, try text(source.value, "file_id"), name: name)
        default: throw .value("\(place).source.type", "must be base64, text, content, url or file")
        }
    }

    /// Returns the text of a plain-text document.
    func text(_ source: JSONValue) throws(APIError) -> String { try text(source, "data").text }

    private func stored(_ kind: Attachment.Kind, _ id: UnsafeRawBufferPointer, name: String?) -> Attachment {
        reader.new(kind, .file(id: id.text), name: name, param: "\(place).source.file_id")
    }

    private func text(_ source: JSONValue, _ name: StaticString) throws(APIError) -> UnsafeRawBufferPointer {
        guard let value = source.member(name) else { throw .missing("\(place).source.\(name)") }
        guard let text = value.text else { throw .type("\(place).source.\(name)", "a string") }
        return text
    }
}
