import Calls
import Engine
import Shared

/// One chat call in the format of a vendor's API. `WireChat` sends it.
///
/// Used on its event loop, except for `written` (any thread) and `reader` (also the worker thread).
protocol WireForm: AnyObject, Sendable {
    /// Writes the request body. Called once, on any thread.
    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> Body
    /// The error for the client if the vendor cannot serve the call; otherwise nil. Valid only after `written`.
    var refusal: APIError? { get }
    /// The token limit in the request body, which can exceed the client's limit; nil for forms that never exceed it.
    var maxTokens: Int? { get }
    /// Whether attachments of system and assistant messages are moved into user messages before `written`.
    var movesAttachments: Bool { get }
    /// Returns the estimated tokens of the prompt in the request body; nil to estimate those of the call's texts.
    func promptTokens(in body: Body) -> Int?
    /// Whether the relay requests a stream although the client wants a complete response. Valid only after `written`.
    var gathersStream: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// Returns the header lines of the request.
    func headers(_ headers: KeyHeaders, for key: String) -> UpstreamHeaders
    /// The route, which chooses the location and gets the access token; nil for a vendor that needs no route.
    var route: (any WireRoute)? { get }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader
    /// Returns the quirk because of which the vendor refused the request; nil if there is none.
    func quirk(_ refusal: Refusal) -> QuirkFinding?
    /// The finding that the last successful response shows; nil if the response shows no quirk.
    var findingOfResponse: QuirkFinding? { get }
    /// Whether the request body is the client's body of the same API, written anew.
    var isRebuilt: Bool { get }
    /// Whether the relay can request the rest of a paused response. The request body must then stay in memory.
    var mayGoOn: Bool { get }
    /// Returns the request body that asks for the rest of a response that the vendor paused.
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body
    /// Returns the request body with the changes for further quirks that have code of their own. Has no other effect.
    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body
    /// The betas in the request's header.
    var betas: [String] { get }
    /// Prepares the form for a request that was changed for these quirks, and for its response.
    func adopt(_ quirks: Set<Quirk>)
}

extension WireForm {
    func headers(_ headers: KeyHeaders, for key: String) -> UpstreamHeaders { headers.headers(for: key) }
    var refusal: APIError? { nil }
    var maxTokens: Int? { nil }
    var movesAttachments: Bool { true }
    func promptTokens(in body: Body) -> Int? { nil }
    var gathersStream: Bool { false }
    var route: (any WireRoute)? { nil }
    var findingOfResponse: QuirkFinding? { nil }
    var isRebuilt: Bool { false }
    var mayGoOn: Bool { false }
    var betas: [String] { [] }
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body { request }
    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body { request }
    func adopt(_ quirks: Set<Quirk>) {}
}
