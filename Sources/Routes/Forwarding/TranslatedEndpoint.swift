import Calls
import Shared
import Upstream

/// An endpoint's translation of a request for vendors that do not accept it unchanged. Used on its request's loop.
protocol TranslatedEndpoint: AnyObject, Sendable {
    /// Returns the number of upstream calls that the candidate would need. Reserves nothing. Throws if the candidate
    /// cannot serve the request.
    func calls(_ candidate: Candidate) async throws(APIError) -> Int
    /// Returns the candidates for the request: the candidates of the requested model, followed by candidates of other
    /// models.
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates
    /// Calls the candidate and sends its response to the client.
    func serve(_ candidate: Candidate, _ vendorCall: VendorCall) async throws(UpstreamError)
}

extension TranslatedEndpoint {
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates { named }
}
