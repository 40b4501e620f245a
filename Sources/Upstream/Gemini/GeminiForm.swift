import Calls
import Engine
import Shared

/// The form of one call to Google's models: writes its request and makes the reader of its response.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class GeminiForm: WireForm, @unchecked Sendable {
    private let address: ModelAddress?
    private let place: GeminiPlace
    let route: (any WireRoute)?
    private let memory: AccountSignatures
    private let model: GeminiModel
    private var names = SentNames()
    private var mostCalls = Int.max
    private var isLegacy = false
    private var hasCalls = false
    private var reader: GeminiReader?
    private var mayFail: APIError?

    /// - Parameters:
    ///   - address: the URLs of the model; nil if no URL can be made of its name.
    ///   - route: the way to a vendor with several locations; nil if `address` is the only one.
    init(
        _ address: ModelAddress?,
        _ memory: AccountSignatures,
        _ model: Model,
        at place: GeminiPlace = .own,
        by route: (any WireRoute)? = nil
    ) {
        self.address = address
        self.place = place
        self.route = route
        self.memory = memory
        self.model = GeminiModel(model.id)
        if address == nil { mayFail = .modelNotFound(model.id) }
    }

    var refusal: APIError? { mayFail }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        if mayFail == nil { mayFail = GeminiParts.refusal(of: call.attachments) }
        isLegacy = call.needs.contains(.functions)
        mostCalls = call.mostCalls
        hasCalls = call.messages.contains { !$0.toolCalls.isEmpty }
        let (body, names) = GeminiRequest(call, model, memory, place).written()
        self.names = names
        return MendedGeminiRequest.written(body, with: mends)
    }

    func endpoint(isStreamed: Bool) -> Endpoint {
        guard let address else { preconditionFailure("a call that was refused") }
        return address[isStreamed: isStreamed]
    }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = GeminiReader(parser, ids, names, memory, mostCalls: mostCalls, isLegacy: isLegacy)
        self.reader = reader
        return reader
    }

    var mendOfAnswer: Mends? { hasCalls && reader?.missesSignature == true ? .anySignature : nil }

    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, place.faults, tellsFields: false) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        faults.geminiMend(head, refusal, of: request, known: known)
    }

    func mended(_ request: Body, with mend: Mends) -> Body { MendedGeminiRequest.written(request, with: mend) }
}
