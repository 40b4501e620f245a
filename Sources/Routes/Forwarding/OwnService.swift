import Calls
import Shared
import Upstream

/// An endpoint's way to serve a request by vendors that take it in forms of their own. Used on its request's loop.
protocol OwnService: AnyObject, Sendable {
    /// The calls that the candidate's vendor would need for it; takes nothing. Throws if it cannot serve the request.
    func calls(_ candidate: Candidate) async throws(APIError) -> Int
    /// The candidates for the request: those of the model that it names, and others after them.
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates
    /// The answer of that candidate goes to the client.
    func serve(_ candidate: Candidate, _ vendorCall: VendorCall) async throws(UpstreamError)
}

extension OwnService {
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates { named }
}
