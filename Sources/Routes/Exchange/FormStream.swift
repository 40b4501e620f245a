import Calls
import Engine
import Shared
import Upstream

/// A `multipart/form-data` body that is read while it arrives.
final class FormStream: OnLoop, @unchecked Sendable {
    /// The plain fields that have arrived so far.
    private(set) var fields: [(name: String, text: String)] = []
    /// The header of the last file that has begun; nil before the first file.
    private(set) var file: MultipartPart?
    private let body: RequestBody
    private let files: [String]
    private let fileLimit: UploadLimit
    private let bodyLimitBytes: Int
    private var reader: MultipartReader
    private var piece = ByteBuffer()
    private var isInFile = false
    /// The number of bytes of the current file that have arrived.
    private var fileBytes = 0
    /// The name of the current part.
    private var name = ""
    private var text = ByteBuffer()
    /// The size of all fields that are not files, added up, in bytes.
    private var fieldBytes = 0
    /// The total size of the fields and files that are kept in memory, in bytes.
    private var gatheredBytes = 0
    /// The number of bytes that kept fields and files may have before more memory must be reserved.
    private var heldBytes = 32_768
    private(set) var wait: ClientWait
    private static let stepBytes = 262_144

    private static let fieldLimitBytes = 1_048_576

    /// Creates the stream of a form.
    ///
    /// - Parameters:
    ///   - files: the names of file fields; a field may add an index, such as `image[0]`.
    ///   - beginning: the bytes of the body that have already been read.
    init(
        _ request: Request,
        files: [String],
        fileLimit: UploadLimit,
        beginning: consuming ByteBuffer = ByteBuffer(),
        on loop: EventLoop
    ) throws(APIError) {
        body = request.body
        wait = ClientWait(on: loop)
        self.files = files
        self.fileLimit = fileLimit
        bodyLimitBytes = files.count * fileLimit.bytes + Self.fieldLimitBytes
        do throws(RequestError) {
            reader = try MultipartReader(contentType: request[.contentType])
        } catch {
            throw APIError(error)
        }
        if let declared = body.declaredBytes, declared > bodyLimitBytes { throw fileLimit.tooLarge(declared) }
        reader.append(&beginning)
    }

    /// Skips to the next file and returns its field name without an index; nil if the form has ended.
    func nextFile() async throws(APIError) -> String? {
        while let event = try await nextEvent() {
            switch event {
            case .part(let part): if begin(part) { return name }
            case .data(let bytes):
                guard !isInFile else { continue }
                try append(bytes)
                gatheredBytes += bytes.count
                try await hold(gatheredBytes)
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
        fileBytes += bytes.count
        guard fileBytes <= fileLimit.bytes else { throw fileLimit.tooLarge(nil) }
        return bytes
    }

    /// Whether the rest of the form can still show that a file is too large.
    var canBeTooLarge: Bool { !fileLimit.isKeptBy(body) }

    /// Returns the next bytes of the current file: at least `count`, or all that are left if they are fewer.
    func beginning(_ count: Int) async throws(APIError) -> ByteBuffer {
        var bytes = ByteBuffer()
        while bytes.count < count, let piece = try await nextPiece() {
            guard bytes.canReserve(piece.count) else { throw fileLimit.error(.overloaded) }
            bytes.append(piece)
            try await hold(gatheredBytes + bytes.count)
        }
        gatheredBytes += bytes.count
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
        try await hold(gatheredBytes + kept.count)
        return true
    }

    /// Waits until the memory budget has reserved this many bytes in total for kept fields and files.
    private func hold(_ bytes: Int) async throws(APIError) {
        let wanted = bytes - heldBytes
        guard wanted > 0 else { return }
        let step = max(wanted, Self.stepBytes)
        do throws(RequestError) {
            try await body.hold(step)
        } catch {
            throw fileLimit.error(error)
        }
        heldBytes += step
    }

    // MARK: Parts

    /// Begins a part and returns whether it is a file. The names `image[]` and `image[0]` mean `image`.
    private func begin(_ part: MultipartPart) -> Bool {
        let plain = part.name.withoutIndex
        let file = files.first { $0.hasSameBytes(as: plain) }
        isInFile = file != nil
        name = file ?? part.name
        fileBytes = 0
        if isInFile { self.file = part }
        return isInFile
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        fieldBytes += bytes.count
        guard fieldBytes <= Self.fieldLimitBytes else {
            throw APIError(.bodyTooLarge(nil, limitBytes: Self.fieldLimitBytes))
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
                wait.begin()
                defer { wait.end() }
                guard try await body.next(into: &piece, limitBytes: bodyLimitBytes) else {
                    try reader.checkEnd()
                    return nil
                }
                reader.append(&piece)
            }
        } catch {
            throw fileLimit.error(error)
        }
    }
}

/// The largest file that a multipart form may contain.
struct UploadLimit {
    let bytes: Int
    /// Whether `MAX_UPLOAD_MB` is the limit. Otherwise the API has a lower one.
    private let isSetting: Bool

    init(_ apiLimitBytes: Int, _ settings: Settings) {
        bytes = min(apiLimitBytes, settings.maxUploadBytes)
        isSetting = settings.maxUploadBytes <= apiLimitBytes
    }

    func error(_ error: RequestError) -> APIError {
        if Task.isCancelled { return .clientLeft }
        return isSetting ? APIError(error, boundBy: "MAX_UPLOAD_MB") : APIError(error)
    }

    /// Returns the error for a file, or for a form that cannot fit.
    ///
    /// - Parameter declaredBytes: the length of the form; nil if the client did not declare it.
    func tooLarge(_ declaredBytes: Int?) -> APIError { error(.bodyTooLarge(declaredBytes, limitBytes: bytes)) }

    /// Returns whether the declared length of a form shows that none of its files is too large.
    func isKeptBy(_ body: RequestBody) -> Bool { body.declaredBytes.map { $0 <= bytes } ?? false }
}
