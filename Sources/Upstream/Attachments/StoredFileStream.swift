import Engine
import Shared

/// The content of a file or of generated audio, read from the vendor as a stream.
final class StoredFileStream: AudioStream, OnLoop, @unchecked Sendable {
    /// The media type, detected from the first bytes of the content; nil if it cannot be detected.
    private(set) var type: MediaType?
    var mediaType = "application/octet-stream"
    let credits: Int?
    private let stream: any UpstreamStream
    /// The number of bytes that are still allowed to arrive; below 0 if the content is too large.
    private var leftBytes: Int
    /// The content's first bytes, read to detect the media type and not passed on yet.
    private var beginning = ByteBuffer()
    private var isOver = false

    init(_ stream: any UpstreamStream, credits: Int? = nil, limitBytes: Int = .max) {
        self.stream = stream
        leftBytes = limitBytes
        self.credits = credits
    }

    /// Reads the first bytes, detects the media type, and returns the stream itself. Stops the stream after an error.
    func begun() async throws(UpstreamError) -> StoredFileStream {
        do throws(UpstreamError) {
            var piece = ByteBuffer()
            while beginning.count < MediaType.neededBytes, try await hasMore() {
                stream.receive(into: &piece)
                beginning.append(piece.bytes)
                piece.removeAll()
            }
            guard !beginning.isEmpty else { throw UpstreamError(.failed, cause: "the vendor's content is empty") }
        } catch {
            stop()
            throw error
        }
        type = MediaType(content: beginning.bytes)
        if let type { mediaType = type.rawValue }
        return self
    }

    func more() async throws(UpstreamError) -> Bool {
        if !beginning.isEmpty { return true }
        return try await hasMore()
    }

    private func hasMore() async throws(UpstreamError) -> Bool {
        if isOver { return false }
        guard leftBytes >= 0 else { throw UpstreamError(TransportError(.tooLarge)) }
        do throws(TransportError) {
            isOver = try await stream.more(patienceNanoseconds: .max / 2) == .end
        } catch {
            throw UpstreamError(error)
        }
        return !isOver
    }

    func receive(into buffer: inout ByteBuffer) {
        if beginning.isEmpty { stream.receive(into: &buffer) } else { swap(&buffer, &beginning) }
        leftBytes -= buffer.count
    }

    func stop() { stream.stop(isComplete: isOver) }
}
