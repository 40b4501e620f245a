import Engine
import Shared
import Upstream

/// The bytes of a multipart form, which are read while they arrive, and again as long as all of them are kept.
final class FormBody: OnLoop, @unchecked Sendable {
    let limit: UploadLimit
    private let request: Request
    private let limitBytes: Int
    /// The bytes that are kept, from the beginning of the form.
    private var held = ByteBuffer()
    /// Whether all bytes that have arrived are kept.
    private(set) var isReplayable = true
    /// Whether the whole form has arrived.
    private var isRead = false
    private(set) var wait: ClientWait
    private var piece = ByteBuffer()
    /// The largest number of bytes of the form that will be kept. Their memory is reserved at once, as far as the form's
    /// length is known: forms that hold a part, and wait for the rest, could all wait for each other.
    var mostKeptBytes = keptBytes
    /// Whether a form that has arrived may be kept once more, as it is read into the relay's own form.
    var isReadTwice = false
    /// The number of bytes that can be kept without another memory reservation.
    private var coveredBytes = uncoveredBytes
    /// The largest number of bytes that two copies of a form may reserve.
    private let twiceLimitBytes: Int

    /// The longest file or form that is kept while it is sent to a vendor, in bytes.
    static let keptBytes = 1_048_576
    private static let uncoveredBytes = MemoryBudget.smallBytes
    private static let stepBytes = 262_144
    static let fieldLimitBytes = 1_048_576
    /// The number of bytes that a reading parses at once.
    static let pieceBytes = 32_768

    /// Creates the form of a request. Throws if the request has no form, or declares a length that is too large.
    init(_ request: Request, _ limit: UploadLimit, files: Int, by gateway: Gateway) throws(APIError) {
        self.request = request
        self.limit = limit
        limitBytes = files * limit.bytes + Self.fieldLimitBytes
        wait = ClientWait(on: gateway.loop)
        twiceLimitBytes = gateway.memory.quarterBytes / 8 * 7
        _ = try reader()
        if let declared = request.body.declaredBytes, declared > limitBytes {
            throw limit.error(.bodyTooLarge(declared, limitBytes: files > 1 ? limitBytes : limit.bytes))
        }
    }

    fileprivate func reader() throws(APIError) -> MultipartReader {
        do throws(RequestError) {
            return try MultipartReader(contentType: request[.contentType])
        } catch {
            throw APIError(error)
        }
    }

    /// Whether the rest of the form can still show that a file is too large.
    var canBeTooLarge: Bool { request.body.declaredBytes ?? .max > limit.bytes }

    /// Whether fewer bytes than this are kept.
    func keepsLess(than bytes: Int) -> Bool { held.count < bytes }

    /// Reads the whole form into memory. Returns false if it is longer than `keptBytes`.
    func readWhole(keeping keptBytes: Int) async throws(APIError) -> Bool {
        while !isRead, held.count <= keptBytes { if try await nextPiece() { try await keepPiece() } }
        return isRead
    }

    /// Appends the bytes that follow `offset` to a reader. Returns false at the end of the form.
    /// - Parameter keptBytes: the longest form of which bytes that arrive now are kept, in bytes.
    fileprivate func read(
        from offset: inout Int,
        into reader: inout MultipartReader,
        keeping keptBytes: Int
    ) async throws(APIError) -> Bool {
        if offset < held.count {
            let end = min(held.count, offset + Self.pieceBytes)
            var part = ByteBuffer()
            part.append(held.bytes[part: offset..<end])
            offset = end
            reader.append(&part)
            return true
        }
        guard try await nextPiece() else { return false }
        if isReplayable, held.count + piece.count <= keptBytes {
            try await keepPiece()
            offset = held.count
        } else {
            isReplayable = false
            held.release()
            offset = 0
        }
        reader.append(&piece)
        return true
    }

    private func nextPiece() async throws(APIError) -> Bool {
        wait.begin()
        defer { wait.end() }
        do throws(RequestError) {
            isRead = try await !request.body.next(into: &piece, limitBytes: limitBytes)
            return !isRead
        } catch {
            throw limit.error(error)
        }
    }

    private func keepPiece() async throws(APIError) {
        try await cover(piece.count)
        guard held.canReserve(piece.count) else { throw limit.error(.overloaded) }
        held.append(piece.bytes)
    }

    /// Waits until memory is reserved for the kept bytes of the form, and for `bytes` more.
    func cover(_ bytes: Int) async throws(APIError) {
        let wanted = held.count + bytes - coveredBytes
        guard wanted > 0 else { return }
        let isFirst = coveredBytes == Self.uncoveredBytes
        let step = max(wanted, Self.stepBytes, expectedBytes - coveredBytes)
        do throws(RequestError) {
            // A short form need not wait for larger ones.
            try await request.body.hold(step, inLine: isFirst && step > Self.keptBytes)
        } catch {
            throw limit.error(error)
        }
        coveredBytes += step
    }

    /// The number of bytes that will be kept, as far as that is known.
    private var expectedBytes: Int {
        let once = min(request.body.declaredBytes ?? (isRead ? held.count : 0), mostKeptBytes)
        return isRead || isReadTwice && 2 * once <= twiceLimitBytes ? 2 * once : once
    }

    /// Gives back the memory that was reserved for more than will be kept.
    func giveBackSurplus() {
        let surplus = coveredBytes - max(expectedBytes, held.count, Self.uncoveredBytes)
        guard surplus > 0 else { return }
        request.body.giveBack(surplus)
        coveredBytes -= surplus
    }
}

/// A reading of a multipart form from its beginning.
struct FormReader: ~Copyable {
    private let body: FormBody
    private var reader: MultipartReader
    /// The number of kept bytes that have been parsed.
    private var offset = 0
    private var partBytes = 0

    init(_ body: FormBody) throws(APIError) {
        self.body = body
        reader = try body.reader()
    }

    /// Returns the next event; nil at the end of the body. Throws if the form is invalid or a part is too large.
    /// - Parameter keptBytes: the longest form of which bytes that arrive now are kept, in bytes.
    mutating func next(keeping keptBytes: Int) async throws(APIError) -> MultipartEvent? {
        while true {
            do throws(RequestError) {
                if let event = try reader.next() {
                    if case .data(let bytes) = event { partBytes += bytes.count } else { partBytes = 0 }
                    guard partBytes <= body.limit.bytes else {
                        throw .bodyTooLarge(nil, limitBytes: body.limit.bytes)
                    }
                    return event
                }
            } catch {
                throw body.limit.error(error)
            }
            guard try await body.read(from: &offset, into: &reader, keeping: keptBytes) else {
                do throws(RequestError) { try reader.checkEnd() } catch { throw APIError(error) }
                return nil
            }
        }
    }
}

extension Exchange {
    /// Returns the multipart form of the request, of which nothing has been read yet.
    /// - Parameter fileLimitBytes: the largest file; the settings' upload limit may be lower.
    func formBody(files: Int, fileLimitBytes: Int) throws(APIError) -> FormBody {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw APIError(
                415,
                "Content-Encoding is not supported. Send the body without compression.",
                code: "unsupported_media_type"
            )
        }
        let limit = UploadLimit(fileLimitBytes, gateway.settings)
        let body = try FormBody(request, limit, files: files, by: gateway)
        try refuseIfKnownToBeOver()
        return body
    }
}

/// The time for which a request has waited for its client.
struct ClientWait {
    private let loop: EventLoop
    private var past: UInt64 = 0
    private var since: LoopTime?

    init(on loop: EventLoop) { self.loop = loop }

    var nanoseconds: UInt64 { past + (since.map { loop.now.nanoseconds(since: $0) } ?? 0) }

    mutating func begin() { since = loop.now }

    mutating func end() {
        past = nanoseconds
        since = nil
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
}
