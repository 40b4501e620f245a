import Engine
import Shared
import Upstream

/// A request for media in the relay's own form, for vendors that do not accept the request unchanged. It is read once,
/// on the event loop of its request.
protocol MediaOperation: AnyObject, Sendable {
    /// Reads the request. Returns its model, which is nil if it follows in the form, and the features of which a model
    /// needs one to serve the request.
    func read() async throws(APIError) -> (model: String?, fields: ForwardedFields, features: Model.Features)
    /// Returns the given candidates of the requested model, then candidates of other models that may replace it.
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates
    /// Returns the only candidate that should serve the admitted request, because its vendor stores what the request
    /// refers to, and its index among the candidates; nil if there is none.
    func holder(_ candidates: Candidates) async throws(APIError) -> (index: Int, Candidate)?
    /// Converts the request for a candidate. Throws if the candidate cannot serve the request.
    func prepared(_ candidate: Candidate) async throws(APIError) -> PreparedMedia
    /// The file of the request that goes to a vendor while it arrives; nil if the whole request is in memory.
    var file: FormFile? { get }
}

extension MediaOperation {
    func candidates(_ named: Candidates) async throws(APIError) -> Candidates { named }
    func holder(_ candidates: Candidates) async throws(APIError) -> (index: Int, Candidate)? { nil }
    var file: FormFile? { nil }
}

/// A reader of a request, which reads it when it is first needed.
final class OrderReader<Order: Sendable>: OnLoop, @unchecked Sendable {
    private let read: @Sendable () async throws(APIError) -> Order
    /// The request; nil until it is read.
    private(set) var known: Order?

    init(_ read: @escaping @Sendable () async throws(APIError) -> Order) { self.read = read }

    func order() async throws(APIError) -> Order {
        if let known { return known }
        let order = try await read()
        known = order
        return order
    }
}

/// A request for media in the form of one vendor.
struct PreparedMedia: Sendable {
    /// The number of upstream calls that the request needs.
    var calls = 1
    /// Loads what the admitted request refers to, and returns the call.
    let load: @Sendable () async throws(APIError) -> MediaCall
}

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
    let endpoint: MediaEndpoint
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

    /// Whether the request can be sent once more, for example to another candidate.
    var isReplayable: Bool { request?.isReplayable ?? operation?.file?.isReplayable ?? true }

    /// The time spent waiting for the client to send its form, in nanoseconds.
    var waitedNanoseconds: UInt64 {
        request?.waitedNanoseconds ?? operation?.file?.form.body.wait.nanoseconds ?? 0
    }

    /// Reads the rest of a form that could be too large. Throws if it is too large: then whatever the vendor did in the
    /// meantime is no failure of the vendor.
    func readRest() async throws(APIError) {
        switch request?.content {
        case .form(let form): try await form.readRest()
        case .json: break
        case nil: try await operation?.file?.readRest()
        }
    }
}
