/// A request's body as it comes in: whole by `collect`, or piece by piece by `next`. Nothing past a bound is read before
/// somebody wants it.
///
/// Also keeps the request's part of the memory budget: see RequestBody+Memory.swift.
///
/// `@unchecked`: only its connection's loop touches it.
package final class RequestBody: @unchecked Sendable {
    /// By Content-Length; nil for a chunked body.
    package let declaredBytes: Int?
    package private(set) var isComplete: Bool
    private var received = ByteBuffer()
    /// Of the body, also what was taken already.
    private var total = 0
    private var chunks: ChunkedBody?
    private(set) var reading = Reading.unwanted
    private(set) var failure: RequestError?
    private let waiter = Waiter()
    /// Up to the request's end.
    var source: (any BodySource)?

    // The memory that the request holds.
    let headBytes: Int
    let peerShare: MemoryShare
    var share: MemoryShare?
    var smallHeldBytes = 0
    var hold: MemoryHold?
    /// The size up to which a collected body is covered by the memory held.
    var coveredBytes = RequestBody.unwantedBytes
    var isShortOfMemory = false
    var slowPace = SlowBodyPace()

    enum Reading {
        /// Nobody has asked for the body yet.
        case unwanted
        /// All of it at once.
        case whole(limitBytes: Int)
        case pieces(limitBytes: Int)
    }

    /// The largest part of a body that is received before the handler asks for it.
    static let unwantedBytes = 65_536
    /// The most that waits of a body that is read in pieces; so the largest piece, but for the first.
    static let pieceBytes = 32_768

    /// - Parameters:
    ///   - headBytes: of the request's head, which is kept as long as the request.
    ///   - peer: of the address that the connection came from.
    init(_ head: RequestHead, _ source: any BodySource, headBytes: Int, peer: MemoryShare) {
        self.headBytes = headBytes
        peerShare = peer
        declaredBytes = head.isChunked ? nil : head.contentLength ?? 0
        chunks = head.isChunked ? ChunkedBody() : nil
        isComplete = declaredBytes == 0
        self.source = source
    }

    /// Waits for the whole body; 413 at once if it is declared larger than `limitBytes`. Its bytes are then in `bytes`.
    package func collect(limitBytes: Int) async throws(RequestError) {
        if !isComplete, failure == nil {
            reading = .whole(limitBytes: limitBytes)
            if (declaredBytes ?? total) > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
            if isLarge { watch() }
            if received.count >= coveredBytes { cover() }
            source?.bodyIsWanted()
            while !isComplete, failure == nil, !Task.isCancelled { await waiter.wait() }
        }
        watchEnds()
        if let failure { throw failure }
        if total > limitBytes { throw .bodyTooLarge(declaredBytes, limitBytes: limitBytes) }
        guard isComplete else { throw RequestError(400, "The body did not arrive.") }
    }

    /// Waits for the next piece of the body and swaps it into `piece`, whose bytes are dropped and whose storage is used
    /// again; at most 64 KiB. False: the body has ended. The client is read from only as fast as pieces are taken.
    ///
    /// Throws `.clientLeft`, `.bodyTooSlow`, 413 (before anything is read if it is declared larger than
    /// `limitBytes`), or what is wrong with its chunks; a body that was cut never just ends.
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

    /// The bytes received and not yet taken, with room past the end as in `ByteBuffer`.
    package var bytes: UnsafeRawBufferPointer { received.bytes }

    /// Frees the bytes once they are of no more use.
    package func release() { received.release() }

    /// Hands over the bytes received.
    package func takeBytes() -> Body {
        var bytes = ByteBuffer()
        swap(&bytes, &received)
        return Body(bytes)
    }

    // MARK: For the connection

    var wantsMore: Bool { roomBytes > 0 }

    /// Nothing of the body has come.
    var isUntouched: Bool { total == 0 }

    /// The most that may be read at once.
    var roomBytes: Int {
        guard !isComplete, failure == nil, !isShortOfMemory else { return 0 }
        return switch reading {
        case .unwanted: Self.unwantedBytes - received.count
        // Also at just the limit: the end of a chunked body stands behind its last byte.
        case .whole(let limitBytes):
            received.count <= limitBytes ? min(Self.unwantedBytes, coveredBytes - received.count) : 0
        case .pieces: Self.pieceBytes - received.count
        }
    }

    /// Takes what belongs to the body; returns the count taken.
    func take(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        let taken: Int
        guard received.canReserve(bytes.count) else { throw .overloaded }
        if chunks != nil {
            taken = try takeChunks(bytes)
        } else {
            let declared = declaredBytes ?? 0
            taken = min(declared - total, bytes.count)
            received.append(bytes[part: 0..<taken])
            total += taken
            isComplete = total == declared
        }
        if !isComplete {
            slowPace.count(taken)
            if case .whole = reading, received.count >= coveredBytes { cover() }
        }
        if case .pieces = reading { waiter.wake() } else if isComplete { waiter.wake() }
        return taken
    }

    private func takeChunks(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        guard var decoder = chunks else { return 0 }
        let before = received.count
        let taken = try decoder.take(bytes, into: &received)
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

    /// Makes room for a body of so many bytes, if there is memory for that.
    func makeRoom(for bytes: Int) { if bytes > received.count { _ = received.canReserve(bytes - received.count) } }

    func fail(_ error: RequestError) {
        failure = error
        waiter.wake()
    }
}

/// The source of a body.
protocol BodySource: AnyObject {
    func bodyIsWanted()
}

extension RequestError {
    /// - Parameters:
    ///   - bytes: the size of the body, or of its part; nil if it is not known.
    ///   - limitBytes: the largest size that is accepted.
    package static func bodyTooLarge(_ bytes: Int?, limitBytes: Int) -> RequestError {
        let size = bytes.map { "it has \($0) bytes, and " } ?? ""
        return RequestError(413, "The request body is too large: \(size)at most \(limitBytes) bytes are accepted.")
    }

    /// The body finds no room beside others in the memory for requests.
    static var bodyTooLargeForMemory: RequestError {
        RequestError(413, "The request body is too large for the relay's memory. The operator sets it by MEMORY_MB.")
    }

    package static var bodyTooSlow: RequestError { RequestError(408, "The request body arrives too slowly.") }
    /// Nobody reads its answer.
    package static var clientLeft: RequestError { RequestError(400, "The client has left.") }
}
