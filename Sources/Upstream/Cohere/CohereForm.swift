import Engine
import Shared

/// One call to Cohere's Chat API: writes the request body and creates the reader of the response.
///
/// `@unchecked`: used on its event loop. Any thread may call `written`; the worker thread uses `reader` for long
/// responses.
final class CohereForm: WireForm, @unchecked Sendable {
    private let chat: Endpoint
    private let model: String
    private var names = VendorNameMap()
    private var isLegacy = false
    private var maxCalls = Int.max
    /// The only stop sequence of the request; nil if the request has none or several.
    private var onlyStop: String?

    init(_ chat: Endpoint, _ model: Model) {
        self.chat = chat
        self.model = model.id
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        isLegacy = call.needs.contains(.functions)
        maxCalls = call.maxCalls
        if call.stops.count == 1 { onlyStop = call.stops[0] }
        let (body, names) = CohereRequest(call, model).written()
        self.names = names
        return WrittenCall(body, refusal: call.attachments.refusal())
    }

    func endpoint(isStreamed: Bool) -> Endpoint { chat }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = CohereReader(parser, ids, names: names, maxCalls: maxCalls, isLegacy: isLegacy)
        reader.onlyStop = onlyStop
        return reader
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.cohere, namesFields: false)
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        refusal.finding(among: refusal.findingsOfCohere)
    }
}
