import Calls
import Engine
import Shared

/// A call in Cohere's form.
///
/// `@unchecked`: used on its loop only, but for `written`.
final class CohereForm: WireForm, @unchecked Sendable {
    private let chat: Endpoint
    private let model: String
    private var names = SentNames()
    private var isLegacy = false
    private var mostCalls = Int.max
    /// The answer does not say which one ended it, so it is known if there is one alone.
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
