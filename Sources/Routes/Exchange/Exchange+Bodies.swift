import Engine
import Shared
import Upstream

extension Exchange {
    func send(_ status: Int = 200, json fragment: JSONFragment) { send(status, json: ByteBuffer(json: fragment)) }

    /// Sends a JSON body: `opening` and what `rest` appends, on a worker thread if the body is long.
    func send(
        _ opening: borrowing ByteBuffer,
        ofBytes length: Int,
        _ rest: @escaping @Sendable (inout ByteBuffer) -> Void
    ) async throws(UpstreamError) {
        guard length > WorkQueue.loopBytes else {
            var body = ByteBuffer()
            body.append(opening.bytes)
            rest(&body)
            return send(json: body)
        }
        _ = try await send(longer: opening, ofBytes: length) {
            rest(&$0)
            return true
        }
    }

    /// Sends a JSON body that takes long to write, and returns whether it was sent.
    /// - Parameter rest: writes the rest of the body on a worker thread; if it returns false, nothing is sent.
    func send(
        longer opening: borrowing ByteBuffer,
        ofBytes length: Int,
        _ rest: @escaping @Sendable (inout ByteBuffer) -> Bool
    ) async throws(UpstreamError) -> Bool {
        let opening = Body(copying: opening.bytes)
        let whole: Body?? = await gateway.worker.result(ofBytes: length, on: gateway.loop) {
            var body = ByteBuffer()
            _ = body.reserve(length)
            body.append(opening.bytes)
            return rest(&body) ? Body(body) : nil
        }
        guard let whole else { throw .tooMuchWork }
        whole?.read { send(json: $0) }
        return whole != nil
    }

    /// Sends content from a vendor to the client while the content arrives.
    /// - Parameter totalBytes: the required length of the content; nil if unknown.
    func pass(_ content: any MediaStream, totalBytes: Int? = nil) async throws(UpstreamError) {
        defer { content.stop() }
        let isHeld = totalBytes.map { $0 <= Self.heldBytes } ?? false && request.method != .head
        if !isHeld { beginBytes(type: content.mediaType) }
        if request.method == .head { return writer.end() }
        var passedBytes = 0
        var held = ByteBuffer()
        var piece = ByteBuffer()
        while try await content.more() {
            content.receive(into: &piece)
            passedBytes += piece.count
            if let totalBytes, passedBytes > totalBytes { throw .otherLength }
            if isHeld {
                held.append(piece.bytes)
            } else {
                writer.write(piece)
                if writer.isFull { await writer.drained() }
            }
            piece.removeAll()
        }
        if let totalBytes, passedBytes < totalBytes { throw .otherLength }
        if isHeld { send(200, held, type: content.mediaType) } else { writer.end() }
    }

    private static let heldBytes = 65_536
}

extension UpstreamError {
    fileprivate static var otherLength: UpstreamError {
        UpstreamError(.failed, cause: "the vendor's content has another length than before")
    }
}
