import Calls
import Engine
import Shared

/// A chat call as a request of the Responses API.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class ResponsesForm: WireForm, @unchecked Sendable {
    private let endpoint: Endpoint
    private let model: String
    private let isLegacy: Bool
    private let mostCalls: Int
    private(set) var refusal: APIError?

    init(_ endpoint: Endpoint, _ call: borrowing ChatCall, _ model: Model) {
        self.endpoint = endpoint
        self.model = model.id
        isLegacy = call.needs.contains(.functions)
        mostCalls = call.mostCalls
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        let sound = call.attachments.first { $0.kind == .sound }
        refusal = sound?.refusalAsSound ?? call.refusalOfFiles(takesPictures: true)
        return mended(ResponsesRequest(call, model: model).written(), with: mends)
    }

    func endpoint(isStreamed: Bool) -> Endpoint { endpoint }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = ResponsesReader(parser, ids, isLegacy: isLegacy)
        reader.mostCalls = mostCalls
        return reader
    }

    /// Returns the reader of error responses. It leaves out field names, because those of the client's request differ.
    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, Fault.openAI, tellsFields: false) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        guard head.status == 400 || head.status == 422 else { return nil }
        let words = faults.fault(head, refusal).words
        if !known.contains(.noThoughts), words.sayOne(of: ["encrypted content", "encrypted_content", "summar"]) {
            return .noThoughts
        }
        let mend = faults.mend(head, refusal, of: request, known: known)
        // Other quirks do not apply to this API.
        return mend.flatMap { $0.isSubset(of: Self.ofFields.union(.ofAbilities)) ? $0 : nil }
    }

    private static let ofFields = Mends([.noTemperature, .noTopP, .noParallel, .noStrict]).union(.ofEffort)
        .union(.allSpare)

    func mended(_ request: Body, with mends: Mends) -> Body {
        let request = MendedRequest.written(request, with: mends.intersection(Self.ofFields))
        guard mends.contains(.noThoughts) else { return request }
        var out = ByteBuffer()
        _ = out.reserve(request.bytes.count)
        RawJSON(request.bytes).append(to: &out, without: "include")
        let bare = Body(out)
        out = ByteBuffer()
        _ = out.reserve(bare.bytes.count)
        RawJSON(bare.bytes).append(to: &out) { member, out in
            guard member.name.equals("reasoning") else { return false }
            out.append(#""reasoning":"#)
            member.value.append(to: &out, without: "summary")
            return true
        }
        return Body(out)
    }
}
