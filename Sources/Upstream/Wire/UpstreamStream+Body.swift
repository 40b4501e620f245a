import Engine
import Shared

extension UpstreamUpload {
    /// Sends bytes of the body as fast as the vendor receives them. Returns false once the vendor wants no more bytes.
    func send(_ bytes: UnsafeRawBufferPointer) async throws(UpstreamError) -> Bool {
        var (sent, isWanted) = (0, true)
        do throws(TransportError) {
            while isWanted, sent < bytes.count {
                let end = min(sent + 65_536, bytes.count)
                write(bytes[part: sent..<end])
                sent = end
                isWanted = try await drained()
            }
        } catch {
            throw UpstreamError(error)
        }
        return isWanted
    }
}

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
