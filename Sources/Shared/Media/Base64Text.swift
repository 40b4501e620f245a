package import Engine

/// A base64 text from a request.
package final class Base64Text: OnLoop, @unchecked Sendable {
    private var text: Body

    /// Creates the text. Leaves out line ends, which some programs write into a data URL.
    package init(_ text: UnsafeRawBufferPointer) {
        var copy = ByteBuffer()
        var rest = text
        while let end = rest.firstNewline() {
            let isCRLF = end > 0 && rest[end - 1] == 13
            copy.append(rest[part: 0..<(isCRLF ? end - 1 : end)])
            rest = rest[part: (end + 1)..<rest.count]
        }
        copy.append(rest)
        self.text = Body(copy)
    }

    /// The base64 text as the client sent it.
    package var base64: Body { text }

    /// Drops the text. The object is empty afterwards.
    package func release() { text = Body(ByteBuffer()) }

    /// Decodes at most `bytes` bytes at the start; nil if the start is invalid.
    package func beginning(ofBytes bytes: Int) -> [UInt8]? {
        let whole = text.bytes
        return Base64.standard.bytes(whole[part: 0..<min(whole.count, bytes / 3 * 4)])
    }

    /// Decodes the whole text; nil if it is invalid or there is no memory for the bytes.
    package func decoded(on loop: EventLoop, by worker: WorkQueue) async throws(APIError) -> Body? {
        let text = text
        return try await slowly(text, loop, worker: worker) {
            guard let bytes = Base64.standard.bytes(text.bytes) else { return nil }
            var buffer = ByteBuffer()
            guard buffer.canReserve(bytes.count) else { return nil }
            bytes.withUnsafeBytes { buffer.append($0) }
            return Body(buffer)
        }
    }

    /// Returns the digest of the base64 text, not of the decoded bytes.
    package func digest(on loop: EventLoop, by worker: WorkQueue) async throws(APIError) -> Digest {
        try await Digest(of: text, on: loop, by: worker)
    }
}

extension Digest {
    /// Computes the digest of a body, on a worker thread if the body is large.
    package init(of body: Body, on loop: EventLoop, by worker: WorkQueue) async throws(APIError) {
        self = try await slowly(body, loop, worker: worker) { Digest(of: body.bytes) }
    }
}

/// The largest body that is processed on the event loop, in bytes.
private let loopBytes = 262_144

/// Returns the result of `work`, which runs on a worker thread if the body is large. Throws `tooMuchWork` if the
/// worker thread has no result in time.
private func slowly<Value: Sendable>(
    _ body: Body,
    _ loop: EventLoop,
    worker: WorkQueue,
    work: @escaping @Sendable () -> Value
) async throws(APIError) -> Value {
    guard body.bytes.count > loopBytes else { return work() }
    guard let value = await worker.enqueuedResult(ofBytes: body.bytes.count, on: loop, of: work) else {
        throw .tooMuchWork
    }
    return value
}
