import Engine
import Shared
import Upstream

/// A `multipart/form-data` body as it comes: plain fields are gathered on the way, files are handed on piece by piece.
/// Memory: a piece, and the fields.
///
/// `@unchecked`: used on its request's loop only.
final class FormStream: @unchecked Sendable {
    /// Those that have come so far.
    private(set) var fields: [(name: String, text: String)] = []
    /// The head of the file that began last.
    private(set) var file: MultipartPart?
    private let body: RequestBody
    private let files: [String]
    private let fileLimitBytes: Int
    private let bodyLimitBytes: Int
    private var reader: MultipartReader
    private var piece = ByteBuffer()
    private var isInFile = false
    /// Of the file that is coming.
    private var fileBytes = 0
    /// Of the plain field that is coming.
    private var name = ""
    private var text = ByteBuffer()
    /// Of all fields together.
    private var fieldBytes = 0
    /// Of files and fields that are kept, and what is held for them. What a request has anyway is enough for a file's
    /// beginning and some fields.
    private var gatheredBytes = 0
    private var heldBytes = 32_768
    private static let stepBytes = 262_144

    private static let fieldLimitBytes = 1_048_576

    /// - Parameters:
    ///   - files: parts that are called so, also with an index in brackets, are files, whatever else their heads say.
    ///   - fileLimitBytes: of each.
    ///   - beginning: of the body, which was read before.
    init(
        _ request: Request,
        files: [String],
        fileLimitBytes: Int,
        beginning: consuming ByteBuffer = ByteBuffer()
    ) throws(RequestError) {
        body = request.body
        self.files = files
        self.fileLimitBytes = fileLimitBytes
        bodyLimitBytes = files.count * fileLimitBytes + Self.fieldLimitBytes
        reader = try MultipartReader(contentType: request[.contentType])
        reader.append(&beginning)
    }

    /// Reads on to the next file, past what is left of the one before, and tells its field's name without an index;
    /// nil: the form has ended, and all its fields have come.
    func nextFile() async throws(APIError) -> String? {
        while let event = try await nextEvent() {
            switch event {
            case .part(let part): if begin(part) { return name }
            case .data(let bytes):
                guard !isInFile else { continue }
                try take(bytes)
                gatheredBytes += bytes.count
                try await hold(gatheredBytes)
            case .partEnd: finish()
            case .end: break
            }
        }
        return nil
    }

    /// The next piece of the file, valid until something else is asked of the form; nil: that was all of it.
    func nextPiece() async throws(APIError) -> UnsafeRawBufferPointer? {
        guard isInFile, let event = try await nextEvent(), case .data(let bytes) = event else {
            isInFile = false
            return nil
        }
        fileBytes += bytes.count
        guard fileBytes <= fileLimitBytes else {
            throw Self.told(.bodyTooLarge(nil, limitBytes: fileLimitBytes))
        }
        return bytes
    }

    /// At least `count` bytes of the file, or all that it has.
    func beginning(_ count: Int) async throws(APIError) -> ByteBuffer {
        var bytes = ByteBuffer()
        while bytes.count < count, let piece = try await nextPiece() {
            guard bytes.canReserve(piece.count) else { throw Self.told(.overloaded) }
            bytes.append(piece)
            try await hold(gatheredBytes + bytes.count)
        }
        gatheredBytes += bytes.count
        return bytes
    }

    /// The largest file that is kept for a second key, in bytes.
    private static let keptFileBytes = 1_048_576

    /// Keeps a piece of the file. Returns false, and frees what was kept, if the file is too long for that.
    func keep(_ piece: UnsafeRawBufferPointer, behind kept: inout ByteBuffer) async throws(APIError) -> Bool {
        guard kept.count + piece.count <= Self.keptFileBytes, kept.canReserve(piece.count) else {
            kept.release()
            return false
        }
        kept.append(piece)
        try await hold(gatheredBytes + kept.count)
        return true
    }

    /// Waits until the memory budget has had so much for what was gathered.
    private func hold(_ bytes: Int) async throws(APIError) {
        let wanted = bytes - heldBytes
        guard wanted > 0 else { return }
        let step = max(wanted, Self.stepBytes)
        do throws(RequestError) {
            try await body.hold(step)
        } catch {
            throw Self.told(error)
        }
        heldBytes += step
    }

    // MARK: Parts

    /// True: it is a file. `image[]` and `image[0]` are `image`.
    private func begin(_ part: MultipartPart) -> Bool {
        let plain = part.name.withoutIndex
        let file = files.first { $0.hasSameBytes(as: plain) }
        isInFile = file != nil
        name = file ?? part.name
        fileBytes = 0
        if isInFile { self.file = part }
        return isInFile
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        fieldBytes += bytes.count
        guard fieldBytes <= Self.fieldLimitBytes else {
            throw Self.told(.bodyTooLarge(nil, limitBytes: Self.fieldLimitBytes))
        }
        text.append(bytes)
    }

    private func finish() {
        if !isInFile { fields.append((name, text.text)) }
        isInFile = false
        text.removeAll()
    }

    private func nextEvent() async throws(APIError) -> MultipartEvent? {
        do throws(RequestError) {
            while true {
                if let event = try reader.next() { return event }
                guard try await body.next(into: &piece, limitBytes: bodyLimitBytes) else {
                    try reader.checkEnd()
                    return nil
                }
                reader.append(&piece)
            }
        } catch {
            throw Self.told(error)
        }
    }

    private static func told(_ error: RequestError) -> APIError { Task.isCancelled ? .clientLeft : APIError(error) }
}
