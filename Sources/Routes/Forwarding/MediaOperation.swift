import Calls
import Engine
import Shared
import Upstream

/// A request for media in the relay's own form, for vendors that do not accept the request unchanged. It is read once,
/// on the event loop of its request.
protocol MediaOperation: AnyObject, Sendable {
    /// Returns the number of upstream calls that a candidate needs. Throws if the candidate cannot serve the request.
    func calls(_ candidate: Candidate) async throws(APIError) -> Int
    /// Returns the given candidates of the requested model, then candidates of other models that may replace it.
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates
    /// Returns the only candidate that should serve the admitted request, because its vendor stores what the request
    /// refers to; nil if there is none.
    func holder(_ candidates: Candidates) async throws(APIError) -> Candidate?
    /// Converts the admitted request for a candidate.
    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia
}

/// An operation whose request is read as a whole before a vendor is chosen.
protocol WholeMediaOperation: MediaOperation {
    /// Reads the request. Returns the features of which a model needs one to serve the request.
    func read() async throws(APIError) -> (model: String, fields: ForwardedFields, features: Model.Features)
}

extension MediaOperation {
    func calls(_ candidate: Candidate) async throws(APIError) -> Int {
        _ = try await prepared(candidate)
        return 1
    }

    func candidates(_ named: Candidates) async throws(APIError) -> Candidates { named }
    func holder(_ candidates: Candidates) async throws(APIError) -> Candidate? { nil }
}

/// A function that calls a candidate's vendor until its response has begun. It bills a failure itself.
typealias PreparedMedia = @Sendable (Attempt) async throws(UpstreamError) -> MediaResponse

/// A vendor's response to a request for media, of which the client has received nothing yet.
enum MediaResponse: Sendable {
    /// A whole response, which is billed.
    case whole(type: String, Body)
    case audio(any AudioStream)
    /// A forwarded response with its first bytes. It is complete if `isWhole`.
    case forwarded(any ForwardedResponse, beginning: Body, isWhole: Bool)

    static func json(_ body: consuming ByteBuffer) -> MediaResponse { .whole(type: "application/json", Body(body)) }
}

/// The way in which a request for media is served.
struct MediaPlan: Sendable {
    let endpoint: ForwardedEndpoint
    /// The model as the client named it.
    let model: String
    let fields: ForwardedFields
    let candidates: Candidates
    /// The request as it is forwarded; nil if no candidate accepts it unchanged.
    var request: ForwardedRequest?
    /// The request in the relay's own form; nil to call only candidates that accept the request unchanged.
    var operation: (any MediaOperation)?
    /// The lookup in the response cache; nil if the request does not use the cache.
    var cached: CacheLookup?
}
