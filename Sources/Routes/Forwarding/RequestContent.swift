import Engine
import Shared
import Upstream

/// The body of a request for media, which the relay may read itself after it has read it for forwarding.
final class RequestContent: OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    /// The body as it can be forwarded; nil if it was not read for that.
    var json: Body?
    var form: ForwardedForm?
    /// Whether the body stays in memory when the relay reads it, because it may still be forwarded.
    var isKept = false

    init(_ exchange: Exchange) { self.exchange = exchange }

    var isJSON: Bool { exchange.request.isJSON }
    /// The model that the path names; nil if the body names it.
    var deployment: String? { exchange.deployment }

    /// Reads the whole body into memory. Returns false if it is too long.
    func readWhole() async throws(APIError) -> Bool {
        guard let form else { return true }
        return try await form.readWhole()
    }

    /// Returns what `read` makes of the JSON body.
    func json<Value: Sendable>(
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        guard let json else { return try await exchange.json(read) }
        return try await exchange.json(of: json, read)
    }

    /// Returns a stream that reads the multipart form from its beginning.
    /// - Parameter fileLimitBytes: the largest file; the settings' upload limit may be lower.
    func formStream(files: [String], fileLimitBytes: Int = mediaLimitBytes) throws(APIError) -> FormStream {
        let body =
            if let form { form.body } else {
                try exchange.formBody(files: files.count, fileLimitBytes: fileLimitBytes)
            }
        let stream = try FormStream(body, files: files, deployment: deployment)
        exchange.recorder?.keep(form: { stream.keptText })
        return stream
    }
}

/// The largest image or recording that a request may contain or refer to, in bytes (25 MiB).
let mediaLimitBytes = 26_214_400
