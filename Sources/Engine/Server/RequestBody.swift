/// The body of a request, which might still be arriving. A handler reads the body with `collect`, or in chunks with
/// `next`.
package final class RequestBody: OnLoop, @unchecked Sendable {
    /// The length of the body; 0 if there is none, nil if the body has chunked transfer encoding.
    package let declaredBytes: Int?
    package private(set) var isComplete: Bool
    private var received = ByteBuffer()
    /// The number of bytes of the body received so far, including bytes already read.
    private var total = 0
    private var chunks: ChunkedBody?
    private(set) var reading = Reading.unwanted
    private(set) var failure: RequestError?
    private let waiter = Waiter()
    /// The connection from which the body arrives; nil after the end of the request.
    var source: (any BodySource)?

    // The reserved memory of the request.
    let headBytes: Int
    let peerShare: MemoryShare
    var share: MemoryShare?
    var smallHeldBytes = 0
    var reservation: MemoryReservation?
    /// The number of bytes of a collected body for which memory is already reserved.
    var coveredBytes = RequestBody.unwantedBytes
    var isShortOfMemory = false
    /// The time that the request may still wait for memory, in nanoseconds.
    var patienceNanoseconds = MemoryBudget.patienceNanoseconds
    /// The start of the present wait for memory; nil if the request does not wait.
    var waitStart: LoopTime?
    var slowPace = SlowBodyRate()

    enum Reading {
        /// The handler has not asked for the body yet.
        case unwanted
        /// The handler waits for the whole body.
        case whole(limitBytes: Int)
        case pieces(limitBytes: Int)
    }

    /// The largest number of bytes that are received before the handler asks for the body.
    static let unwantedBytes = 65_536
    /// The largest number of received bytes that wait for a handler that reads the body in chunks.
    static let pieceBytes = 32_768

    init(_ head: RequestHead, _ source: any BodySource, headBytes: Int, peer: MemoryShare) {
        self.headBytes = headBytes
        peerShare = peer
        declaredBytes = head.isChunked ? nil : head.contentLength ?? 0
        chunks = head.isChunked ? ChunkedBody() : nil
        isComplete = declaredBytes == 0
        self.source = source
    }

    /// Waits until the whole body has arrived in `bytes`. Throws an error with status 413 if the body is larger than
    /// `limitBytes`.
    /// - Parameter isHeld: whether the memory of a body with a declared length is already reserved.
    package func collect(limitBytes: Int, isHeld: Bool = false) async throws(RequestError) {
        if !isComplete, failure == nil {
            if (declaredBytes ?? total) > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
            reading = .whole(limitBytes: limitBytes)
            if isHeld { coveredBytes = max(coveredBytes, declaredBytes ?? 0) }
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

    /// Waits for the next chunk of the body, of at most 64 KiB, and moves the chunk into `piece`. Returns false if the
    /// body has ended.
    ///
    /// Throws an error with status 413 if the body is larger than `limitBytes`. Also throws if the client disconnects,
    /// sends the body too slowly, or sends invalid chunked encoding.
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

    /// The received bytes that the handler has not removed. The 64 bytes after them are readable.
    package var bytes: UnsafeRawBufferPointer { received.bytes }

    /// Frees the received bytes. Call it when they are no longer needed.
    package func release() { received.release() }

    /// Replaces the received bytes, such as by the decoded ones.
    package func replace(by bytes: consuming ByteBuffer) { received = bytes }

    package func removeBytes() -> Body {
        var bytes = ByteBuffer()
        swap(&bytes, &received)
        return Body(bytes)
    }

    // MARK: Interface for the connection

    var wantsMore: Bool { roomBytes > 0 }

    /// Whether no byte of the body has arrived yet.
    var isUntouched: Bool { total == 0 }

    /// The number of bytes that the connection may receive now; 0 if it must not read.
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

    /// Consumes those bytes that belong to the body. Returns the number of bytes consumed.
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

    /// Reserves buffer space for a body of `bytes` bytes. Does nothing if memory is short.
    func makeRoom(for bytes: Int) { if bytes > received.count { _ = received.canReserve(bytes - received.count) } }

    func fail(_ error: RequestError) {
        failure = error
        waiter.wake()
    }
}

/// The source of a request's body. It is the connection on which the request arrived.
protocol BodySource: AnyObject {
    func bodyIsWanted()
}

extension RequestError {
    package static func bodyTooLarge(_ bytes: Int?, limitBytes: Int) -> RequestError {
        let size = bytes.map { "it has \($0) bytes, but " } ?? ""
        return RequestError(413, "The request body is too large: \(size)at most \(limitBytes) bytes are accepted.")
    }

    /// The error for a compressed body of which the decoded bytes are too many.
    package static func decodedBodyTooLarge(limitBytes: Int) -> RequestError {
        RequestError(
            413,
            "The request body is too large: it has more than \(limitBytes) bytes when it is decompressed, which is the limit."
        )
    }

    /// The error for a body that is larger than the memory budget allows.
    package static var bodyTooLargeForMemory: RequestError {
        RequestError(413, "The request body is too large for the relay's memory. The operator can raise MEMORY_MB.")
    }

    package static var bodyTooSlow: RequestError { RequestError(408, "The request body arrives too slowly.") }
    /// The error for a request whose client has disconnected. No client reads the error response.
    package static var clientLeft: RequestError { RequestError(400, "The client disconnected.") }
}
