import Calls
import Engine
import Shared

/// Content that the vendor keeps, as it comes from there.
///
/// `@unchecked`: used on its loop only.
final class KeptContent: AudioStream, @unchecked Sendable {
    /// Nil: its beginning is of no known kind.
    private(set) var type: MediaType?
    var mediaType = "application/octet-stream"
    let credits: Int?
    private let stream: any UpstreamStream
    /// That may still come.
    private var leftBytes: Int
    /// Read to learn the type.
    private var beginning = ByteBuffer()
    private var isOver = false

    init(_ stream: any UpstreamStream, credits: Int? = nil, limitBytes: Int = .max) {
        self.stream = stream
        leftBytes = limitBytes
        self.credits = credits
    }

    /// Reads enough to know what comes; a failure ends the stream.
    func begun() async throws(UpstreamError) -> KeptContent {
        do throws(UpstreamError) {
            var piece = ByteBuffer()
            while beginning.count < MediaType.neededBytes, try await hasMore() {
                stream.take(into: &piece)
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

    func take(into buffer: inout ByteBuffer) {
        if beginning.isEmpty { stream.take(into: &buffer) } else { swap(&buffer, &beginning) }
        leftBytes -= buffer.count
    }

    func stop() { stream.stop(isComplete: isOver) }
}
