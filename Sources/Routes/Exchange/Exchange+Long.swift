import Engine
import Shared
import Upstream

extension Exchange {
    func send(_ status: Int = 200, json fragment: JSONFragment) { send(status, json: ByteBuffer(json: fragment)) }

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
}
