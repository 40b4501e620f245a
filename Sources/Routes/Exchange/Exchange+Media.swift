import Calls
import Engine
import Upstream

extension Exchange {
    /// Passes content on as it comes.
    ///
    /// - Parameter totalBytes: as many as it must be; nil: not known.
    func pass(_ content: any MediaStream, totalBytes: Int? = nil) async throws(UpstreamError) {
        defer { content.stop() }
        beginBytes(type: content.mediaType)
        if request.method == .head { return writer.end() }
        var passedBytes = 0
        var piece = ByteBuffer()
        while try await content.more() {
            content.take(into: &piece)
            passedBytes += piece.count
            if let totalBytes, passedBytes > totalBytes { throw .otherLength }
            writer.write(piece)
            piece.removeAll()
            if writer.isFull { await writer.drained() }
        }
        if let totalBytes, passedBytes < totalBytes { throw .otherLength }
        writer.end()
    }
}

extension UpstreamError {
    fileprivate static var otherLength: UpstreamError {
        UpstreamError(.failed, cause: "the vendor's content has not the length that it had")
    }
}
