package import Engine
package import Shared

/// A vendor that counts the tokens of requests to the Messages API.
package protocol MessageTokenCounter: AnyObject, Sendable {
    /// Returns the vendor's response to `count_tokens`, as it came.
    /// - Parameter request: the client's request, which must be unambiguous (`OriginalRequest.isUnambiguous`).
    func tokenCount(
        of request: OriginalRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Body
}
