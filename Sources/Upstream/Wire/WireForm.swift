import Engine
import Shared

/// A chat call in the format of a vendor's API.
struct WrittenCall: Sendable {
    var body: Body
    /// The error for the client if the vendor cannot serve the call; otherwise nil.
    var refusal: APIError?
    /// The token limit in the body, which can exceed the client's limit; nil for forms that never exceed it.
    var maxTokens: Int?
    /// The part of the body by which the tokens of the prompt are estimated; nil to estimate those of the call's texts.
    var prompt: Range<Int>?
    var source = Source.translated
    /// Whether the relay requests a stream although the client wants a complete response.
    var gathersStream = false
    /// Whether the relay can request the rest of a paused response. The body must then stay in memory.
    var mayGoOn = false

    enum Source {
        case translated
        /// The body of a client's request in the vendor's API (Messages or Responses).
        case original
        /// A body in place of the client's request in the vendor's API, which could not go on as it came.
        case rebuilt
    }

    init(_ body: Body, refusal: APIError? = nil) {
        self.body = body
        self.refusal = refusal
    }
}

/// One chat call in the format of a vendor's API. `WireChat` sends it.
///
/// Used on its event loop, except for `written` (any thread) and `reader` (also the worker thread).
protocol WireForm: AnyObject, Sendable {
    /// Writes the request. Called once, on any thread.
    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall
    /// Whether attachments of system and assistant messages are moved into user messages before `written`.
    var movesAttachments: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// Returns the header lines of a request with this body. A vendor that wants requests signed gets its signature here.
    func headers(_ headers: KeyHeaders, for key: String, of body: Body?, to endpoint: Endpoint) -> UpstreamHeaders
    /// The route, which chooses the location and gets the access token; nil for a vendor that needs no route.
    var route: (any WireRoute)? { get }
    /// Throws if the vendor has refused such a call lately. Called before each attempt.
    func checkSupport() throws(UpstreamError)
    /// Learns from the failure of an attempt, for `checkSupport` of later calls.
    func learn(from error: UpstreamError)
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    /// Returns the reader for a response whose earlier parts ended with pauses of the vendor, in order.
    func reader(_ parser: JSONParser, _ ids: RandomBytes, after parts: [PausedResponse]) -> any WireReader
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader
    /// Returns the quirk because of which the vendor refused the request; nil if there is none.
    func quirk(_ refusal: Refusal) -> QuirkFinding?
    /// The finding that the last successful response shows; nil if the response shows no quirk.
    var findingOfResponse: QuirkFinding? { get }
    /// Returns the request body that asks for the rest of a response that the vendor paused. Has no other effect.
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body
    /// Returns the request body with the changes for further quirks that have code of their own. Has no other effect.
    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body
    /// The betas in the request's header.
    var betas: [String] { get }
    /// The values of the request's header lines that the client has sent.
    var callersHeaders: [String] { get }
    /// Prepares the form for a request that was changed for these quirks, and for its response.
    func adopt(_ quirks: Set<Quirk>)
}

extension WireForm {
    func headers(_ headers: KeyHeaders, for key: String, of body: Body?, to endpoint: Endpoint) -> UpstreamHeaders {
        headers.headers(for: key)
    }
    var movesAttachments: Bool { true }
    var route: (any WireRoute)? { nil }
    func reader(_ parser: JSONParser, _ ids: RandomBytes, after parts: [PausedResponse]) -> any WireReader {
        reader(parser, ids)
    }
    func checkSupport() throws(UpstreamError) {}
    func learn(from error: UpstreamError) {}
    var findingOfResponse: QuirkFinding? { nil }
    var betas: [String] { [] }
    var callersHeaders: [String] { [] }
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body { request }
    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body { request }
    func adopt(_ quirks: Set<Quirk>) {}
}

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
