/// A request's body as it comes in. Nothing past a bound is read before somebody wants it.
///
/// `@unchecked`: only its connection's loop touches it.
package final class RequestBody: @unchecked Sendable {
    /// By Content-Length; nil for a chunked body.
    package let declaredBytes: Int?
    package private(set) var isComplete: Bool
    private var received = ByteBuffer()
    private var chunks: ChunkedBody?
    /// Nil until somebody wants the body.
    private var limitBytes: Int?
    private var failure: RequestError?
    private let waiter = Waiter()
    private weak var source: (any BodySource)?

    /// What may come before somebody wants the body.
    static let unwantedBytes = 65_536

    init(_ head: RequestHead, _ source: any BodySource) {
        declaredBytes = head.isChunked ? nil : head.contentLength ?? 0
        chunks = head.isChunked ? ChunkedBody() : nil
        isComplete = declaredBytes == 0
        self.source = source
    }

    /// Waits for the whole body; 413 at once if it is declared larger than `limitBytes`. Its bytes are then in `bytes`.
    package func collect(limitBytes: Int) async throws(RequestError) {
        if !isComplete, failure == nil {
            self.limitBytes = limitBytes
            if (declaredBytes ?? received.count) > limitBytes { throw Self.tooLarge }
            source?.bodyIsWanted()
            while !isComplete, failure == nil, !Task.isCancelled { await waiter.wait() }
        }
        if let failure { throw failure }
        if received.count > limitBytes { throw Self.tooLarge }
        guard isComplete else { throw RequestError(400, "The body did not come.") }
    }

    /// What has come, with room past the end as in `ByteBuffer`.
    package var bytes: UnsafeRawBufferPointer { received.bytes }

    /// Frees the bytes once they are of no more use.
    package func release() { received.release() }

    // MARK: For the connection

    /// Also at just the limit: the end of a chunked body stands behind its last byte.
    var wantsMore: Bool { !isComplete && failure == nil && received.count <= (limitBytes ?? Self.unwantedBytes) }

    /// Takes what belongs to the body; returns the count taken.
    func take(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        let taken: Int
        if chunks != nil {
            taken = try takeChunks(bytes)
        } else {
            taken = min((declaredBytes ?? 0) - received.count, bytes.count)
            received.append(bytes[part: 0..<taken])
            isComplete = received.count == declaredBytes
        }
        if isComplete { waiter.wake() }
        return taken
    }

    private func takeChunks(_ bytes: UnsafeRawBufferPointer) throws(RequestError) -> Int {
        guard var decoder = chunks else { return 0 }
        let taken = try decoder.take(bytes, into: &received)
        chunks = decoder
        isComplete = decoder.isDone
        if let limitBytes, received.count > limitBytes { throw Self.tooLarge }
        return taken
    }

    func fail(_ error: RequestError) {
        failure = error
        waiter.wake()
    }

    private static var tooLarge: RequestError { RequestError(413, "The request body is too large.") }
}

/// What a body is read from.
protocol BodySource: AnyObject {
    func bodyIsWanted()
}
