import Calls
import Engine
import Shared

/// The form of one call to Cohere's Chat API: writes its request and makes the reader of its response.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class CohereForm: WireForm, @unchecked Sendable {
    private let chat: Endpoint
    private let model: String
    private var names = SentNames()
    private var isLegacy = false
    private var mostCalls = Int.max
    /// The request's only stop sequence; nil if it has none or several. The response does not say which sequence was
    /// found.
    private var onlyStop: String?
    private(set) var refusal: APIError?

    init(_ chat: Endpoint, _ model: Model) {
        self.chat = chat
        self.model = model.id
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        refusal = call.attachments.refusalBesidesPicturesAndText
        isLegacy = call.needs.contains(.functions)
        mostCalls = call.mostCalls
        if call.stops.count == 1 { onlyStop = call.stops[0] }
        let (body, names) = CohereRequest(call, model).written()
        self.names = names
        return MendedCohereRequest.written(body, with: mends)
    }

    func endpoint(isStreamed: Bool) -> Endpoint { chat }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = CohereReader(parser, ids, names, mostCalls: mostCalls, isLegacy: isLegacy)
        reader.onlyStop = onlyStop
        return reader
    }

    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, Fault.cohere, tellsFields: false) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        faults.cohereMend(head, refusal, of: request, known: known)
    }

    func mended(_ request: Body, with mend: Mends) -> Body { MendedCohereRequest.written(request, with: mend) }
}
