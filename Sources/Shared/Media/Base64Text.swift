package import Engine

/// Bytes that came in base64, and stay so until they are wanted.
///
/// `@unchecked`: used on its request's loop only; the text itself is constant.
package final class Base64Text: @unchecked Sendable {
    private var text: Body

    package init(_ text: UnsafeRawBufferPointer) {
        var copy = ByteBuffer()
        copy.append(text)
        self.text = Body(copy)
    }

    /// The most bytes that it encodes.
    package var decodedBytes: Int { (text.bytes.count + 3) / 4 * 3 }

    package var isEmpty: Bool { text.bytes.isEmpty }

    /// As it came.
    package var base64: Body { text }

    /// Frees it, once nothing reads it any more.
    package func release() { text = Body(ByteBuffer()) }

    /// At most about that many bytes of the beginning; nil: not base64.
    package func beginning(ofBytes bytes: Int) -> [UInt8]? {
        let whole = text.bytes
        return Base64.standard.bytes(whole[part: 0..<min(whole.count, bytes / 3 * 4)])
    }

    /// Nil: not base64.
    package func decoded(on loop: EventLoop, by worker: WorkQueue) async throws(APIError) -> Body? {
        let text = text
        return try await slowly(text, loop, worker) {
            guard let bytes = Base64.standard.bytes(text.bytes) else { return nil }
            var buffer = ByteBuffer()
            guard buffer.canReserve(bytes.count) else { return nil }
            bytes.withUnsafeBytes { buffer.append($0) }
            return Body(buffer)
        }
    }

    /// A digest that only the same text has.
    package func digest(on loop: EventLoop, by worker: WorkQueue) async throws(APIError) -> Digest {
        try await Digest(of: text, on: loop, by: worker)
    }
}

extension Digest {
    /// Of bytes that may be many.
    package init(of body: Body, on loop: EventLoop, by worker: WorkQueue) async throws(APIError) {
        self = try await slowly(body, loop, worker) { Digest(of: body.bytes) }
    }
}

/// More is left to the thread for such work.
private let loopBytes = 262_144

/// The result of `work` on `body`; a long body is left to a thread.
private func slowly<Value: Sendable>(
    _ body: Body,
    _ loop: EventLoop,
    _ worker: WorkQueue,
    _ work: @escaping @Sendable () -> Value
) async throws(APIError) -> Value {
    guard body.bytes.count > loopBytes else { return work() }
    guard let value = await worker.enqueuedResult(ofBytes: body.bytes.count, on: loop, of: work) else {
        throw .tooMuchWork
    }
    return value
}
