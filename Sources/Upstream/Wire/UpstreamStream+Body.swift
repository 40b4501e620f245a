import Engine
import Shared

extension UpstreamStream {
    /// Reads the body to its end, and stops the stream. Throws if the body has more than `limitBytes`.
    func whole(limitBytes: Int) async throws(UpstreamError) -> Body {
        var isComplete = false
        defer { stop(isComplete: isComplete) }
        do throws(TransportError) {
            let body = try await collect(limitBytes: limitBytes)
            isComplete = true
            return body
        } catch {
            throw UpstreamError(error)
        }
    }

    /// Reads the body of an error response, and stops the stream. The body is empty if it cannot be read.
    @inline(never)  // Rarely called.
    func refusal(limitBytes: Int) async throws(UpstreamError) -> Body {
        do throws(UpstreamError) {
            return try await whole(limitBytes: limitBytes)
        } catch {
            if error.kind == .cancelled { throw error }
            return Body(ByteBuffer())
        }
    }
}
