import Calls
import Engine
import Shared

/// The body of a request for media, which the relay may read itself after it has read it for forwarding.
final class RequestContent: OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    /// The body as it can be forwarded; nil if it was not read for that.
    private(set) var forwarded: ForwardedRequest.Content?
    /// Whether the body stays in memory when the relay reads it, because it may still be forwarded.
    var isKept = false

    init(_ exchange: Exchange) { self.exchange = exchange }

    func keep(_ content: ForwardedRequest.Content) { forwarded = content }

    /// Returns what `read` makes of the JSON body.
    func json<Value: Sendable>(
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        guard case .json(let body) = forwarded else { return try await exchange.json(read) }
        return try await exchange.json(of: body, read)
    }

    /// Returns a stream that reads the multipart form from its beginning.
    ///
    /// - Parameters:
    ///   - files: the names of the fields that are files.
    ///   - fileLimitBytes: the largest file; the settings' upload limit may be lower.
    func formStream(files: [String], fileLimitBytes: Int) async throws(APIError) -> FormStream {
        var beginning = ByteBuffer()
        if case .form(let form) = forwarded { beginning = isKept ? try await form.copyHeld() : form.removeHeld() }
        return try exchange.formStream(files: files, fileLimitBytes: fileLimitBytes, beginning: beginning)
    }

    /// Reads the multipart form as a whole.
    ///
    /// - Parameters:
    ///   - files: the names of the fields that are files.
    ///   - fileLimitBytes: the largest file; the settings' upload limit may be lower.
    func form(files: [String], fileLimitBytes: Int) async throws(APIError) -> Form {
        try await formStream(files: files, fileLimitBytes: fileLimitBytes).whole()
    }
}
