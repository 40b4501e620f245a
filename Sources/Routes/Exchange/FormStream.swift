import Engine
import Shared
import Upstream

/// A `multipart/form-data` body that is read while it arrives.
final class FormStream: OnLoop, @unchecked Sendable {
    let body: FormBody
    /// The plain fields that have arrived so far.
    private(set) var fields: [(name: String, text: String)] = []
    /// The header of the last file that has begun; nil before the first file.
    private(set) var file: MultipartPart?
    private let files: [String]
    private var reader: FormReader
    private var isInFile = false
    /// The name of the current part.
    private var name = ""
    private var text = ByteBuffer()
    /// The size of all fields that are not files, added up, in bytes.
    private var fieldBytes = 0
    /// The total size of the fields and files that are kept in memory, in bytes.
    private var gatheredBytes = 0

    /// Creates the stream of a form.
    /// - Parameters:
    ///   - files: the names of file fields; a field may add an index, such as `image[0]`.
    ///   - deployment: the model that the path names, which counts as the first field; nil if the path names none.
    init(_ body: FormBody, files: [String], deployment: String? = nil) throws(APIError) {
        self.body = body
        self.files = files
        if let deployment { fields.append(("model", deployment)) }
        reader = try FormReader(body)
    }

    private func nextEvent() async throws(APIError) -> MultipartEvent? { try await reader.next(keeping: 0) }

    /// Skips to the next file and returns its field name without an index; nil if the form has ended.
    func nextFile() async throws(APIError) -> String? {
        while let event = try await nextEvent() {
            switch event {
            case .part(let part): if try begin(part) { return name }
            case .data(let bytes):
                guard !isInFile else { continue }
                try append(bytes)
                gatheredBytes += bytes.count
                try await body.cover(gatheredBytes)
            case .partEnd: finish()
            case .end: break
            }
        }
        return nil
    }

    /// Returns the next piece of the current file, valid until the next read; nil at the end of the file.
    func nextPiece() async throws(APIError) -> UnsafeRawBufferPointer? {
        guard isInFile, let event = try await nextEvent(), case .data(let bytes) = event else {
            isInFile = false
            return nil
        }
        return bytes
    }

    /// Appends a piece of the file to `kept`. Returns false, and frees `kept`, if the file is too long.
    func keep(
        _ piece: UnsafeRawBufferPointer,
        behind kept: inout ByteBuffer,
        limitBytes: Int
    ) async throws(APIError) -> Bool {
        guard kept.count + piece.count <= limitBytes, kept.canReserve(piece.count) else {
            kept.release()
            return false
        }
        kept.append(piece)
        try await body.cover(gatheredBytes + kept.count)
        return true
    }

    func whole() async throws(APIError) -> Form {
        body.mostKeptBytes = .max
        var gathered: [Form.File] = []
        while let name = try await nextFile() {
            var bytes = ByteBuffer()
            while let piece = try await nextPiece() {
                guard try await keep(piece, behind: &bytes, limitBytes: .max) else {
                    throw body.limit.error(.overloaded)
                }
            }
            gatheredBytes += bytes.count
            gathered.append(Form.File(name: name, bytes: Body(bytes)))
        }
        return Form(fields: fields, files: gathered)
    }

    // MARK: Parts

    /// Begins a part and returns whether it is a file. The names `image[]` and `image[0]` mean `image`. Throws if the part is
    /// another file.
    private func begin(_ part: MultipartPart) throws(APIError) -> Bool {
        let plain = part.name.withoutIndex
        let file = files.first { $0.hasSameBytes(as: plain) }
        if file == nil, part.filename?.isEmpty == false {
            let name = String(plain).beginning(ofBytes: 100)
            throw .unsupported(name, "The file '\(name)' is not supported. Remove '\(name)'.")
        }
        isInFile = file != nil
        name = file ?? part.name
        if isInFile { self.file = part }
        return isInFile
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        fieldBytes += bytes.count
        guard fieldBytes <= FormBody.fieldLimitBytes else {
            throw APIError(.bodyTooLarge(nil, limitBytes: FormBody.fieldLimitBytes))
        }
        text.append(bytes)
    }

    private func finish() {
        if !isInFile { fields.append((name, text.text)) }
        isInFile = false
        text.removeAll()
    }

    /// The form as JSON for the usage record: the fields' texts and the file's media type.
    var keptText: ByteBuffer {
        var out = ByteBuffer()
        let files = (file.map { [$0] } ?? []).map { (name: $0.name, text: "[\($0.contentType ?? "file")]") }
        let members = (fields + files).map { (name: $0.name, value: "\($0.text)" as JSONFragment) }
        out.json("{\(members: members)}")
        return out
    }
}

/// A `multipart/form-data` body that was read as a whole.
struct Form: Sendable {
    struct File: Sendable {
        let name: String
        let bytes: Body
    }

    let fields: [(name: String, text: String)]
    let files: [File]
}
