import Calls
import Engine
import Shared

/// One call in the format of a vendor's API. Used on its loop, except for writing the request.
protocol WireForm: AnyObject, Sendable {
    /// Writes the request. Called once, on any thread.
    func written(_ call: ChatCall, with quirks: LearnedQuirks) -> Body
    /// The error if the vendor cannot serve the call, known once the request is written; nil if it can.
    var refusal: APIError? { get }
    /// The limit of completion tokens in the written request, if it may be larger than the caller's; else nil.
    var maxTokens: Int? { get }
    /// Whether whole responses are requested as streams. Known once the request is written.
    var gathersStream: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// The route to a vendor with several locations; nil if there is one location, and the key is all that calls need.
    var route: (any WireRoute)? { get }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader
    /// Returns the quirk that an error response shows, after which the vendor may accept the request; nil if none is
    /// known.
    ///
    /// - Parameter known: the quirks that the request was already written with.
    func quirk(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks,
        _ errorReader: ErrorResponseReader
    ) -> LearnedQuirks?
    /// The quirk that the response which was just read shows; nil if none is known.
    var quirkOfResponse: LearnedQuirks? { get }
    /// The quirks that later calls of the model need, too. Others depend on the content of one call.
    var keptQuirks: LearnedQuirks { get }
    /// Whether the vendor may pause a streamed response to the written request, so that the request must be kept.
    var mayGoOn: Bool { get }
    /// Returns the request for the next part of a paused response.
    func goingOn(_ request: Body, after pause: PausedResponse) -> Body
    /// Returns the request, changed for one more quirk.
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
