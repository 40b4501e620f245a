import Calls
import Engine
import Shared

/// A multipart form that the relay forwards to vendors with another model name.
final class ForwardedForm: FormSource, @unchecked Sendable {
    let contentType: String
    private(set) var model: String?
    /// The number of images that the client requests; 1 if the form gives no number.
    private(set) var images = 1
    private(set) var isStreamed = false
    private(set) var user: String?
    var wantsText: Bool {
        !format.isEmpty && !["json", "verbose_json", "diarized_json"].contains { $0.hasSameBytes(as: format.text) }
    }
    private let request: Request
    private let boundary: String
    private let limits: Limits
    /// The bytes of the form that are kept in memory, from its beginning.
    private var held = ByteBuffer()
    private(set) var isReplayable = true
    private var isRead = false
    private var piece = ByteBuffer()
    private var wait: ClientWait
    /// The number of bytes of the form that can be kept without another memory reservation.
    private var coveredBytes = 32_768

    // State of the first reading, which finds the model; `scout` is nil once this reading has ended.
    private var scout: MultipartReader?
    private var scoutedName = ""
    private var scoutedText = ByteBuffer()
    private var scoutedBytes = 0

    // State of a reading that sends the form to a vendor.
    private var reader: MultipartReader
    /// The number of bytes in `held` that have been parsed for the vendor that is called now.
    private var given = 0
    private var newModel = ""
    private var passed = ForwardedFieldCheck(allowing: [], isCallersKey: false)
    /// The error for a part that must not be forwarded; nil if no such part was found.
    private var refusal: APIError?
    private var isInModel = false
    private var isInFormat = false
    private var format = ByteBuffer()
    private var hasModel = false
    private var isLeftOut = false
    private var partBytes = 0
    private(set) var hasEnded = false

    struct Limits {
        let part: UploadLimit
        let bodyBytes: Int
        /// The longest form that is kept to be sent to several vendors, in bytes; `.max` if images are requested.
        let replayBytes: Int
    }

    private static let stepBytes = 262_144
    /// The number of images that a form may request.
    static let imageRange = 1...1_000

    init(_ request: Request, _ limits: Limits, on loop: EventLoop) throws(APIError) {
        self.request = request
        self.limits = limits
        wait = ClientWait(on: loop)
        do throws(RequestError) {
            scout = try MultipartReader(contentType: request[.contentType])
            reader = try MultipartReader(contentType: request[.contentType])
        } catch {
            throw APIError(error)
        }
        boundary = MultipartFile.boundary()
        contentType = "multipart/form-data; boundary=\(boundary)"
        if let declared = request.body.declaredBytes, declared > limits.bodyBytes {
            throw limits.part.tooLarge(declared)
        }
    }

    /// Whether the client requests images. Such a form can be sent again however long it is.
    private var hasImages: Bool { limits.replayBytes == .max }

    private func isCount(_ name: String) -> Bool { name.withoutIndex.utf8.elementsEqual("n".utf8) }

    // MARK: The beginning

    /// Reads the form until the model is known. If the client requests images, reads the form to its end.
    func readBeginning() async throws(APIError) {
        while model == nil, try await scoutOn() {}
        if hasImages { try await readAhead() }
    }

    func readAhead() async throws(APIError) {
        while scout != nil, held.count < limits.replayBytes, try await scoutOn() {}
        scout = nil
    }

    /// Parses more of the multipart form, and records the fields that the relay needs, such as `model`. Returns false
    /// at the end of the form.
    private func scoutOn() async throws(APIError) -> Bool {
        let event: MultipartEvent?
        do throws(RequestError) {
            event = try scout?.next()
            if case .part(let part) = event { try part.check() }
        } catch {
            throw APIError(error)
        }
        switch event {
        case .part(let part):
            scoutedName = part.name
            scoutedText.removeAll()
            scoutedBytes = 0
        case .data(let bytes):
            scoutedBytes += bytes.count
            guard scoutedBytes <= limits.part.bytes else { throw limits.part.tooLarge(nil) }
            let isWanted =
                isCount(scoutedName) || ["model", "stream", "user"].contains { $0.hasSameBytes(as: scoutedName) }
            if isWanted, scoutedText.count <= Model.nameLimitBytes {
                scoutedText.append(bytes[part: 0..<min(256, bytes.count)])
            }
        case .partEnd: try record(scoutedName, scoutedText.bytes)
        case .end:
            scout = nil
            return false
        case nil:
            guard try await readMore() else { throw APIError(400, "The body ends before its last boundary.") }
            scout?.append(&piece)
        }
        return true
    }

    private func record(_ name: String, _ text: UnsafeRawBufferPointer) throws(APIError) {
        if name.hasSameBytes(as: "model"), model == nil, !text.isEmpty { model = text.text }
        if name.hasSameBytes(as: "user") { user = text.text }
        if hasImages, isCount(name) {
            let count = try FormFields([("n", text.text)]).integer("n", Self.imageRange)
            // If the field occurs several times, a vendor may read any of them.
            images = max(images, count ?? 1)
        }
        if name.hasSameBytes(as: "stream") { isStreamed = text.equals("true") }
    }

    /// Reads the next bytes of the body into `piece`, and adds them to the bytes of the form that are kept in memory.
    /// Returns false at the end.
    private func readMore() async throws(APIError) -> Bool {
        guard try await nextPiece() else { return false }
        try await hold()
        return true
    }

    private func nextPiece() async throws(APIError) -> Bool {
        wait.begin()
        defer { wait.end() }
        do throws(RequestError) {
            guard try await request.body.next(into: &piece, limitBytes: limits.bodyBytes) else {
                isRead = true
                return false
            }
            return true
        } catch {
            throw limits.part.error(error)
        }
    }

    var canBeTooLarge: Bool { !limits.part.isKeptBy(request.body) }

    var waitedNanoseconds: UInt64 { wait.nanoseconds }

    private func hold() async throws(APIError) {
        let wanted = held.count + piece.count - coveredBytes
        do throws(RequestError) {
            if wanted > 0 {
                let step = max(wanted, Self.stepBytes)
                try await request.body.hold(step)
                coveredBytes += step
            }
            guard held.canReserve(piece.count) else { throw .overloaded }
        } catch {
            throw limits.part.error(error)
        }
        held.append(piece.bytes)
    }

    func readWhole() async throws(APIError) -> Bool {
        try await readAhead()
        while !isRead, held.count <= limits.replayBytes { _ = try await readMore() }
        return isRead
    }

    func copyHeld() async throws(APIError) -> ByteBuffer {
        var copy = ByteBuffer()
        do throws(RequestError) {
            if held.count > MemoryBudget.smallBytes { try await request.body.hold(held.count) }
            guard copy.canReserve(held.count) else { throw .overloaded }
        } catch {
            throw limits.part.error(error)
        }
        copy.append(held.bytes)
        return copy
    }

    func removeHeld() -> ByteBuffer {
        var bytes = ByteBuffer()
        swap(&bytes, &held)
        return bytes
    }

    // MARK: Sending to a vendor

    func begin(model: String, passing fields: ForwardedFieldCheck) {
        newModel = model
        passed = fields
        refusal = nil
        given = 0
        isInModel = false
        isInFormat = false
        format.removeAll()
        hasModel = false
        isLeftOut = false
        hasEnded = false
        // The same content type was valid in the initializer.
        if let fresh = try? MultipartReader(contentType: request[.contentType]) { reader = fresh }
    }

    func next(into out: inout ByteBuffer) async throws(APIError) -> Bool {
        guard !hasEnded else { return false }
        while out.count < Self.stepBytes / 8 {
            do throws(RequestError) {
                if let event = try reader.next() {
                    try append(event, to: &out)
                    if refusal == nil, hasEnded { return true }
                    if refusal == nil { continue }
                }
            } catch {
                throw limits.part.error(error)
            }
            if let refusal { throw refusal }
            try await feed()
        }
        return true
    }

    private func feed() async throws(APIError) {
        if given < held.count {
            let end = min(held.count, given + Self.stepBytes / 8)
            var part = ByteBuffer()
            part.append(held.bytes[part: given..<end])
            given = end
            reader.append(&part)
            return
        }
        guard try await nextPiece() else { throw APIError(400, "The body ends before its last boundary.") }
        if isReplayable, held.count + piece.count <= limits.replayBytes {
            try await hold()
            given = held.count
        } else {
            isReplayable = false
            held.release()
            given = 0
        }
        reader.append(&piece)
    }

    private func append(_ event: MultipartEvent, to out: inout ByteBuffer) throws(RequestError) {
        switch event {
        case .part(let part):
            partBytes = 0
            try part.check()
            refusal = refusal ?? passed.refusal(ofFormField: part.name)
            isLeftOut = part.staysHere
            if isLeftOut { return }
            isInModel = part.name.hasSameBytes(as: "model")
            if isInModel { hasModel = true }
            isInFormat = part.name.hasSameBytes(as: "response_format")
            if isInFormat { format.removeAll() }
            MultipartFile.begin(&out, boundary, name: part.name)
            if let filename = part.filename {
                let name = filename.isEmpty ? "upload" : filename
                MultipartFile.append(filename: name, part.contentType ?? "application/octet-stream", to: &out)
            } else {
                out.append("\r\n")
            }
            out.append("\r\n")
            if isInModel { out.append(newModel) }
        case .data(let bytes):
            partBytes += bytes.count
            guard partBytes <= limits.part.bytes else { throw .bodyTooLarge(nil, limitBytes: limits.part.bytes) }
            if isInFormat, format.count < 16 { format.append(bytes[part: 0..<min(16, bytes.count)]) }
            if !isInModel, !isLeftOut { out.append(bytes) }
        case .partEnd: if !isLeftOut { out.append("\r\n") }
        case .end:
            if !hasModel {
                MultipartFile.begin(&out, boundary, name: "model")
                out.append("\r\n\r\n\(newModel)\r\n")
            }
            out.append("--\(boundary)--\r\n")
            hasEnded = true
        }
    }
}
