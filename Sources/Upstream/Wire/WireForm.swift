import Calls
import Engine
import Shared

/// One call in the format of a vendor's API. `WireChat` sends it.
///
/// Used on its event loop, with two exceptions. Any thread may call `written`, and the worker thread uses `reader` to
/// parse a long response.
protocol WireForm: AnyObject, Sendable {
    /// Writes the request body. Called once, on any thread.
    func written(_ call: ChatCall, with quirks: LearnedQuirks) -> Body
    /// The error for the client if the vendor cannot serve the call; otherwise nil. The property is valid only after
    /// `written` was called.
    var refusal: APIError? { get }
    /// The token limit in the request body if this limit can be higher than the client's limit; otherwise nil.
    var maxTokens: Int? { get }
    /// Whether the relay requests a stream but returns a complete response to the client. The property is valid only
    /// after `written` was called.
    var gathersStream: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// The route, which chooses among several locations of the vendor and gets access tokens; nil if calls need
    /// neither.
    var route: (any WireRoute)? { get }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader
    /// Finds the quirk because of which the vendor refused the request. Returns nil if no change of the request is
    /// likely to help.
    ///
    /// - Parameter known: the quirks for which the request was already changed.
    func quirk(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks,
        _ errorReader: ErrorResponseReader
    ) -> LearnedQuirks?
    /// The quirk that the last response shows although its HTTP status was successful; nil if the response shows none.
    var quirkOfResponse: LearnedQuirks? { get }
    /// The quirks that can be stored for later calls to the model. All other quirks concern only one conversation.
    var keptQuirks: LearnedQuirks { get }
    /// Whether the relay can request the rest of a streamed response that the vendor paused. The request body must then
    /// stay in memory.
    var mayGoOn: Bool { get }
    /// Returns the request body that asks for the rest of a response that the vendor paused.
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body
    /// Returns the request body with the change for one more quirk.
    func rewritten(_ request: Body, with quirk: LearnedQuirks) -> Body
}

extension WireForm {
    var refusal: APIError? { nil }
    var maxTokens: Int? { nil }
    var gathersStream: Bool { false }
    var route: (any WireRoute)? { nil }
    var quirkOfResponse: LearnedQuirks? { nil }
    var mayGoOn: Bool { false }
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body { request }
    var keptQuirks: LearnedQuirks { LearnedQuirks(rawValue: .max) }
}
