import Engine
import Upstream

extension Exchange {
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
