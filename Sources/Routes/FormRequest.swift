import Engine
import Shared

/// A `multipart/form-data` body, read whole.
struct Form: Sendable {
    struct File: Sendable {
        let name: String
        let bytes: Body
    }

    fileprivate(set) var fields: [(name: String, text: String)] = []
    fileprivate(set) var files: [File] = []
}

extension Responder {
    /// Of all plain fields together.
    private static let fieldLimitBytes = 1_048_576

    /// Waits for a form whose files have so many bytes at most, each. A part that is called like one of `files`, also
    /// with an index in brackets, is a file, whatever else its head says.
    func form(files: [String], fileLimitBytes: Int) async throws(APIError) -> Form {
        guard let request else { throw APIError(400, "There is no request.") }
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw APIError(415, "Content-Encoding is not accepted here.", code: "unsupported_media_type")
        }
        do throws(RequestError) {
            var gathered = FormParts(
                files: files,
                fileLimitBytes: fileLimitBytes,
                fieldLimitBytes: Self.fieldLimitBytes
            )
            var reader = try MultipartReader(contentType: request[.contentType])
            var piece = ByteBuffer()
            let limit = files.count * fileLimitBytes + Self.fieldLimitBytes
            while try await request.body.next(into: &piece, limitBytes: limit) {
                reader.append(&piece)
                while let event = try reader.next() { try gathered.take(event) }
            }
            try reader.checkEnd()
            return gathered.form
        } catch {
            throw Task.isCancelled ? .clientLeft : APIError(error)
        }
    }
}

/// Gathers the parts of a form, each within its bound.
private struct FormParts: ~Copyable {
    private(set) var form = Form()
    private let names: [String]
    private let fileLimitBytes: Int
    private let fieldLimitBytes: Int
    /// Of the part that is coming.
    private var name = ""
    private var isFile = false
    private var content = ByteBuffer()
    private var fieldBytes = 0

    init(files: [String], fileLimitBytes: Int, fieldLimitBytes: Int) {
        names = files
        self.fileLimitBytes = fileLimitBytes
        self.fieldLimitBytes = fieldLimitBytes
    }

    mutating func take(_ event: MultipartEvent) throws(RequestError) {
        switch event {
        case .part(let part): begin(part)
        case .data(let bytes):
            if !isFile { fieldBytes += bytes.count }
            guard content.count + bytes.count <= fileLimitBytes, fieldBytes <= fieldLimitBytes else {
                throw .bodyTooLarge
            }
            content.append(bytes)
        case .partEnd: finish()
        case .end: break
        }
    }

    /// `image[]` and `image[0]` are `image`.
    private mutating func begin(_ part: MultipartPart) {
        let plain = String(part.name.prefix { $0 != "[" })
        isFile = names.contains(plain)
        name = isFile ? plain : part.name
    }

    private mutating func finish() {
        if isFile {
            var bytes = ByteBuffer()
            swap(&bytes, &content)
            form.files.append(Form.File(name: name, bytes: Body(bytes)))
        } else {
            form.fields.append((name, content.text))
        }
        content.removeAll()
    }
}
