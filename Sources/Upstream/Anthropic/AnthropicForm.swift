import Calls
import Engine
import Shared

/// A call in Anthropic's form.
///
/// `@unchecked`: used on its loop only, but for `written`.
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
    /// The parts of the answer so far.
    private var parts: [PausedAnswer] = []

    /// A longer request is not kept for the time of its answer.
    private static let keptBytes = 32_768

    /// - Parameters:
    ///   - messages: nil: no URL can be made of the model's name.
    ///   - route: nil: `messages` is the only address.
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
