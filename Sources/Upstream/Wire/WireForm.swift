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
    /// The error for the client if the vendor cannot serve the call; nil if it can. Known after the request is written.
    var refusal: APIError? { get }
    /// The token limit in the request body if it may be higher than the client's limit; otherwise nil. Reported usage
    /// up to this limit counts as plausible.
    var maxTokens: Int? { get }
    /// Whether a complete response is requested as a stream and then put together. Known after the request is written.
    var gathersStream: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// Chooses among several locations of the vendor; nil if the vendor has one location and a key is all that a call
    /// needs.
    var route: (any WireRoute)? { get }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader
    /// Returns the quirk that an error response shows: the change after which the vendor may accept the request.
    /// Returns nil if no change is likely to help.
    ///
    /// - Parameter known: the quirks that the request already takes into account.
    func quirk(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks,
        _ errorReader: ErrorResponseReader
    ) -> LearnedQuirks?
    /// The quirk that the last response shows although its HTTP status was successful; nil if the response shows none.
    var quirkOfResponse: LearnedQuirks? { get }
    /// The quirks that are stored for later calls to the model. Other quirks depend on the content of one call.
    var keptQuirks: LearnedQuirks { get }
    /// Whether the relay can request the rest if the vendor pauses a streamed response. The request body must then be
    /// kept.
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
