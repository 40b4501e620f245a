import Engine

/// Chooses the location for each attempt of one call, and learns from its failures. Used on its event loop only.
protocol WireRoute: AnyObject, Sendable {
    /// Prepares the next attempt. Afterwards `endpoint`, `headers` and `key` belong to the location of this attempt.
    func begin() async throws(UpstreamError)
    func endpoint(isStreamed: Bool) -> Endpoint
    var headers: KeyHeaders { get }
    /// The key or access token for the next attempt.
    var key: String { get }
    /// A secret in `headers` other than the key, such as an access token; nil if there is none.
    var token: String? { get }
    func served()
    /// Records that the attempt failed. Returns the error for the whole call; nil if another attempt might succeed.
    func failure(after error: UpstreamError) -> UpstreamError?
}

/// The URLs for calls to one model: for complete responses and for streams.
struct ModelAddress: Sendable {
    let whole: Endpoint
    let stream: Endpoint

    subscript(isStreamed isStreamed: Bool) -> Endpoint { isStreamed ? stream : whole }
}
