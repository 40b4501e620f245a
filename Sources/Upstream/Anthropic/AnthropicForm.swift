import Calls
import Engine
import Shared

/// A call in Anthropic's form.
///
/// `@unchecked`: used on its loop only, but for `written`.
final class AnthropicForm: WireForm, @unchecked Sendable {
    private let messages: Endpoint
    private let model: String
    private let place: AnthropicPlace
    private let isLegacy: Bool
    private let wantsStream: Bool
    private(set) var refusal: APIError?
    private(set) var gathersStream = false
    private var names = SentNames()

    init(_ vendor: Anthropic, _ call: ChatCall, _ model: Model) {
        messages = vendor.messages
        place = vendor.place
        self.model = model.id
        wantsStream = call.isStreamed
        isLegacy = call.needs.contains(.functions)
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        refusal = ClaudeBlocks.refusal(of: call.attachments)
        let written = AnthropicRequest(call, model, place).written()
        names = written.names
        gathersStream = written.isStreamed && !wantsStream
        return MendedMessageRequest.written(written.body, with: mends)
    }

    var keptMends: Mends { Mends(rawValue: .max).subtracting(.ofConversation) }

    func endpoint(isStreamed: Bool) -> Endpoint { messages }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        AnthropicReader(parser, ids, names, isLegacy: isLegacy)
    }

    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, Fault.anthropic, tellsFields: false) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        faults.messageMend(head, refusal, of: request, known: known)
    }

    func mended(_ request: Body, with mend: Mends) -> Body { MendedMessageRequest.written(request, with: mend) }
}
