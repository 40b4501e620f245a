import Calls
import Shared
import Upstream

/// An endpoint's translation of one request, for vendors that do not accept the request unchanged. Used on the event
/// loop of its request only.
protocol TranslatedEndpoint: AnyObject, Sendable {
    /// Returns the number of upstream calls that a candidate needs. Throws if the candidate cannot serve the request.
    func calls(_ candidate: Candidate) async throws(APIError) -> Int
    /// Returns the given candidates of the requested model, then candidates of other models that may replace it.
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates
    /// Calls the candidate and sends its response to the client.
    func serve(_ candidate: Candidate, _ attempt: Attempt) async throws(UpstreamError)
}

extension TranslatedEndpoint {
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates { named }
}
