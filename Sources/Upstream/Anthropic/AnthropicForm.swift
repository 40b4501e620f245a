import Calls
import Engine
import Shared

/// The form of one call to Anthropic's Messages API: writes its request and makes the reader of its response.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class AnthropicForm: WireForm, @unchecked Sendable {
    private let messages: Endpoint?
    let route: (any WireRoute)?
    private let model: String
    private let place: AnthropicPlace
    private let isLegacy: Bool
    private let mostCalls: Int
    private let wantsStream: Bool
    private(set) var refusal: APIError?
    private(set) var maxTokens: Int?
    private(set) var gathersStream = false
    private var names = SentNames()
    private(set) var mayGoOn = false
    /// The paused parts of the response so far.
    private var parts: [PausedAnswer] = []

    /// The largest request that is kept in memory until the response ends, in bytes; needed to continue a paused
    /// response.
    private static let keptBytes = 32_768

    /// - Parameters:
    ///   - messages: the endpoint; nil if no URL can be made of the model's name.
    ///   - route: the way to a vendor with several locations; nil if `messages` is the only address.
    init(
        _ messages: Endpoint?,
        _ place: AnthropicPlace,
        _ call: borrowing ChatCall,
        _ model: Model,
        by route: (any WireRoute)? = nil
    ) {
        self.messages = messages
        self.place = place
        self.route = route
        self.model = model.id
        wantsStream = call.isStreamed
        isLegacy = call.needs.contains(.functions)
        mostCalls = call.mostCalls
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        refusal = messages == nil ? .modelNotFound(model) : ClaudeBlocks.refusal(of: call.attachments)
        let written = AnthropicRequest(call, model, place, with: mends).written()
        names = written.names
        maxTokens = written.maxTokens
        gathersStream = written.isStreamed && !wantsStream
        mayGoOn = gathersStream || written.body.bytes.count <= Self.keptBytes
        return MendedMessageRequest.written(written.body, with: mends)
    }

    func goingOn(_ request: Body, after pause: PausedAnswer) -> Body {
        parts.append(pause)
        return MendedMessageRequest.written(request, goingOnAfter: pause.content)
    }

    var keptMends: Mends { Mends(rawValue: .max).subtracting(.ofConversation) }

    func endpoint(isStreamed: Bool) -> Endpoint {
        guard let messages else { preconditionFailure("a call that was refused") }
        return messages
    }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = AnthropicReader(parser, ids, names, isLegacy: isLegacy, after: parts, mayGoOn: mayGoOn)
        reader.mostCalls = mostCalls
        return reader
    }

    func faults(_ parser: JSONParser) -> FaultReader {
        FaultReader(parser, place.faults, tellsFields: false, obeysRetry: true)
    }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        if place.refusesFormats(head, refusal, of: request, faults), !known.contains(.noSchemas) { return .noSchemas }
        return faults.messageMend(head, refusal, of: request, known: known)
    }

    func mended(_ request: Body, with mend: Mends) -> Body { MendedMessageRequest.written(request, with: mend) }
}
