/// A request's body as it arrives: read whole by `collect`, or in chunks by `next`. Only a bounded part is received
/// before the handler asks for it.
///
/// It also keeps the request's part of the memory budget: see RequestBody+Memory.swift.
///
/// `@unchecked`: only its connection's loop uses it.
package final class RequestBody: @unchecked Sendable {
    /// The length from Content-Length; nil for a chunked body.
    package let declaredBytes: Int?
    package private(set) var isComplete: Bool
    private var received = ByteBuffer()
    /// The number of bytes received so far, including those that were already read.
    private var total = 0
    private var chunks: ChunkedBody?
    private(set) var reading = Reading.unwanted
    private(set) var failure: RequestError?
    private let waiter = Waiter()
    /// The connection; nil after the request's end.
    var source: (any BodySource)?

    // The reserved memory of the request.
    let headBytes: Int
    let peerShare: MemoryShare
    var share: MemoryShare?
    var smallHeldBytes = 0
    var reservation: MemoryReservation?
    /// The size of a collected body that the reserved memory covers.
    var coveredBytes = RequestBody.unwantedBytes
    var isShortOfMemory = false
    var slowPace = SlowBodyRate()

    enum Reading {
        /// The handler has not asked for the body yet.
        case unwanted
        /// The handler wants the whole body at once.
        case whole(limitBytes: Int)
        case pieces(limitBytes: Int)
    }

    /// The largest part of a body that is received before the handler asks for it.
    static let unwantedBytes = 65_536
    /// The most bytes that wait if the body is read in chunks. It is also the largest chunk after the first.
    static let pieceBytes = 32_768

    /// - Parameters:
    ///   - headBytes: the size of the request's head, which is kept as long as the request.
    ///   - peer: the memory share of the address that the connection came from.
    init(_ head: RequestHead, _ source: any BodySource, headBytes: Int, peer: MemoryShare) {
        self.headBytes = headBytes
        peerShare = peer
        declaredBytes = head.isChunked ? nil : head.contentLength ?? 0
        chunks = head.isChunked ? ChunkedBody() : nil
        isComplete = declaredBytes == 0
        self.source = source
    }

    /// Waits for the whole body, which is then in `bytes`. Throws status 413 at once if it is declared larger than
    /// `limitBytes`.
    package func collect(limitBytes: Int) async throws(RequestError) {
        if !isComplete, failure == nil {
            reading = .whole(limitBytes: limitBytes)
            if (declaredBytes ?? total) > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
            if isLarge { watch() }
            if received.count >= coveredBytes { reserveReceived() }
            source?.bodyIsWanted()
            while !isComplete, failure == nil, !Task.isCancelled { await waiter.wait() }
        }
        watchEnds()
        if let failure { throw failure }
        if total > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
        guard isComplete else { throw RequestError(400, "The request body did not arrive.") }
    }

    /// Waits for the next chunk of the body, at most 64 KiB, and swaps it into `piece`, whose storage is reused.
    /// Returns false if the body has ended. The client is read from only as fast as chunks are read here.
    ///
    /// Throws `.clientLeft`, `.bodyTooSlow`, status 413 (before reading if the body is declared larger than
    /// `limitBytes`), or an error of its chunked coding. A truncated body always throws.
    package func next(into piece: inout ByteBuffer, limitBytes: Int) async throws(RequestError) -> Bool {
        piece.removeAll()
        if let failure { throw failure }
        if (declaredBytes ?? total) > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
        if case .pieces = reading {} else { try await wantPieces(limitBytes) }
        while received.isEmpty, !isComplete, failure == nil, !Task.isCancelled { await waiter.wait() }
        if let failure { throw failure }
        if Task.isCancelled { throw .clientLeft }
        guard !received.isEmpty else { return false }
        let hadStopped = !wantsMore
        swap(&piece, &received)
        if hadStopped { source?.bodyIsWanted() }
        return true
    }

    private func wantPieces(_ limitBytes: Int) async throws(RequestError) {
        if isLarge || declaredBytes == nil { try await hold(Self.windowBytes) }
        if isLarge { watch() }
        reading = .pieces(limitBytes: limitBytes)
        source?.bodyIsWanted()
    }

    /// The bytes that were received and not read yet, with room past the end as in `ByteBuffer`.
    package var bytes: UnsafeRawBufferPointer { received.bytes }

    /// Frees the received bytes, which are not needed any more.
    package func release() { received.release() }

    /// Returns the received bytes and removes them.
    package func removeBytes() -> Body {
        var bytes = ByteBuffer()
        swap(&bytes, &received)
        return Body(bytes)
    }

    // MARK: Interface for the connection

    var wantsMore: Bool { roomBytes > 0 }

    /// Whether nothing of the body has arrived.
    var isUntouched: Bool { total == 0 }

    /// The most bytes that may be received now.
    var roomBytes: Int {
        guard !isComplete, failure == nil, !isShortOfMemory else { return 0 }
        return switch reading {
        case .unwanted: Self.unwantedBytes - received.count
        // Also at the limit, because the end of a chunked body follows its last byte.
        case .whole(let limitBytes):
            received.count <= limitBytes ? min(Self.unwantedBytes, coveredBytes - received.count) : 0
        case .pieces: Self.pieceBytes - received.count
        }
    }

    /// Consumes the bytes that belong to the body. Returns their number.
    func receive(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        let taken: Int
        guard received.canReserve(bytes.count) else { throw .overloaded }
        if chunks != nil {
            taken = try receiveChunks(bytes)
        } else {
            let declared = declaredBytes ?? 0
            taken = min(declared - total, bytes.count)
            received.append(bytes[part: 0..<taken])
            total += taken
            isComplete = total == declared
        }
        if !isComplete {
            slowPace.count(taken)
            if case .whole = reading, received.count >= coveredBytes { reserveReceived() }
        }
        if case .pieces = reading { waiter.wake() } else if isComplete { waiter.wake() }
        return taken
    }

    private func receiveChunks(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        guard var decoder = chunks else { return 0 }
        let before = received.count
        let taken = try decoder.consume(bytes, into: &received)
        chunks = decoder
        total += received.count - before
        isComplete = decoder.isDone
        switch reading {
        case .whole(let limitBytes), .pieces(let limitBytes):
            if total > limitBytes { throw .bodyTooLarge(nil, limitBytes: limitBytes) }
        case .unwanted: break
        }
        return taken
    }

    /// Reserves buffer space for a body of `bytes` bytes, if there is memory for it.
    func makeRoom(for bytes: Int) { if bytes > received.count { _ = received.canReserve(bytes - received.count) } }

    func fail(_ error: RequestError) {
        failure = error
        waiter.wake()
    }
}

/// The source of a body: its connection.
protocol BodySource: AnyObject {
    func bodyIsWanted()
}

extension RequestError {
    /// Returns the error for a body that is too large.
    ///
    /// - Parameters:
    ///   - bytes: the size of the body, or of its part; nil if it is not known.
    ///   - limitBytes: the largest size that is accepted.
    package static func bodyTooLarge(_ bytes: Int?, limitBytes: Int) -> RequestError {
        let size = bytes.map { "it has \($0) bytes, but " } ?? ""
        return RequestError(413, "The request body is too large: \(size)at most \(limitBytes) bytes are accepted.")
    }

    /// The error for a body for which there can never be enough memory.
    static var bodyTooLargeForMemory: RequestError {
        RequestError(413, "The request body is too large for the relay's memory. The operator can raise MEMORY_MB.")
    }

    package static var bodyTooSlow: RequestError { RequestError(408, "The request body arrives too slowly.") }
    /// The error of a request whose client has left, so that the response is not read.
    package static var clientLeft: RequestError { RequestError(400, "The client disconnected.") }
}
