import Calls
import Engine
import Shared

/// One call in a vendor's form. Used on its loop, but for the writing of the request.
protocol WireForm: AnyObject, Sendable {
    /// The request; asked for once, on any thread.
    func written(_ call: ChatCall, with mends: Mends) -> Body
    /// Why the vendor cannot take the call, once it is written; nil: it can.
    var refusal: APIError? { get }
    /// The bound of the completion in the request that is written, if it may be larger than the caller's; else nil.
    var maxTokens: Int? { get }
    /// Whole answers are asked for as streams, once the request is written.
    var gathersStream: Bool { get }
    func endpoint(isStreamed: Bool) -> Endpoint
    /// The way to a vendor with several places; nil: there is one place, and the key is all that is needed.
    var route: (any WireRoute)? { get }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader
    func faults(_ parser: JSONParser) -> FaultReader
    /// The change after which the vendor may take the request that it refused; nil: none is known.
    ///
    /// - Parameter known: changes that were made already.
    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends?
    /// The change after which the answer that was just read may be better; nil: none is known.
    var mendOfAnswer: Mends? { get }
    /// The changes that later calls of the model need too; others belong to what is said in one call.
    var keptMends: Mends { get }
    /// The vendor may pause a streamed answer to the request that is written, which is kept for that.
    var mayGoOn: Bool { get }
    /// The request for the next part of an answer.
    func goingOn(_ request: Body, after pause: PausedAnswer) -> Body
    /// The request with one more change.
    func mended(_ request: Body, with mend: Mends) -> Body
}

extension WireForm {
    var refusal: APIError? { nil }
    var maxTokens: Int? { nil }
    var gathersStream: Bool { false }
    var route: (any WireRoute)? { nil }
    var mendOfAnswer: Mends? { nil }
    var mayGoOn: Bool { false }
    func goingOn(_ request: Body, after pause: PausedAnswer) -> Body { request }
    var keptMends: Mends { Mends(rawValue: .max) }
}
