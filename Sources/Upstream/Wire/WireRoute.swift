import Calls
import Engine

/// The route of one call to a vendor with several locations, whose calls need more than a key. Used on its loop.
protocol WireRoute: AnyObject, Sendable {
    /// Prepares the next call. After that, `endpoint` and `headers` belong to one location.
    func begin() async throws(UpstreamError)
    func endpoint(isStreamed: Bool) -> Endpoint
    var headers: UpstreamHeaders { get }
    /// The secret in the headers besides the key; nil if there is none.
    var token: String? { get }
    func served()
    /// Records that the location failed. Returns nil if the call may succeed when it is repeated, at this or another
    /// location; else the failure of all locations.
    func failure(after error: UpstreamError) -> UpstreamError?
}

/// The endpoints of one model: for whole responses and for streams.
struct ModelAddress: Sendable {
    let whole: Endpoint
    let stream: Endpoint

    subscript(isStreamed isStreamed: Bool) -> Endpoint { isStreamed ? stream : whole }
}
