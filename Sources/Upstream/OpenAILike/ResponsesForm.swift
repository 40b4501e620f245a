import Calls
import Engine
import Shared

/// One chat call in the format of the Responses API.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class ResponsesForm: WireForm, @unchecked Sendable {
    private let endpoint: Endpoint
    private let model: String
    private let isLegacy: Bool
    private let maxCalls: Int
    private let isCompacting: Bool
    /// The reader of the last response; nil before the first response.
    private var reader: ResponsesReader?
    private let keepsMessages: Bool
    private let names: ShortToolNames
    private(set) var refusal: APIError?

    init(_ endpoint: Endpoint, _ call: borrowing ChatCall, model: Model) {
        self.endpoint = endpoint
        self.model = model.id
        names = ShortToolNames(call)
        isLegacy = call.needs.contains(.functions)
        isCompacting = call.needs.contains(.compaction)
        maxCalls = isCompacting ? 0 : call.maxCalls
        keepsMessages = call.keepsMessages && !isCompacting
    }

    func written(_ call: ChatCall, with quirks: LearnedQuirks) -> Body {
        let audio = call.attachments.first { $0.kind == .audio }
        refusal = audio?.refusalAsAudio ?? call.refusalOfFiles(acceptsImages: true)
        return rewritten(ResponsesRequest(call, model: model).written(), with: quirks)
    }

    func endpoint(isStreamed: Bool) -> Endpoint { endpoint }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = ResponsesReader(
            parser,
            ids,
            isLegacy: isLegacy,
            isCompacting: isCompacting,
            keepsMessages: keepsMessages
        )
        reader.maxCalls = maxCalls
        self.reader = reader
        return names.restoring(reader)
    }

    var quirkOfResponse: LearnedQuirks? { reader?.lacksCompaction ?? false ? .noCompaction : nil }

    /// Returns the reader for error responses. It drops `param`, which names a field of the upstream request.
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.openAI, namesFields: false)
    }

    func quirk(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: LearnedQuirks,
        _ errorReader: ErrorResponseReader
    ) -> QuirkFinding? {
        guard head.status == 400 || head.status == 422 else { return nil }
        let words = RefusalWords(errorReader.vendorError(head, refusal).said, of: request.bytes)
        if isCompacting, words.quote("compaction") { return QuirkFinding(.noCompaction, isLasting: words.isComplete) }
        if !known.contains(.noReasoningFields),
            words.quoteAny(of: ["encrypted content", "encrypted_content", "summar"])
        {
            return QuirkFinding(.noReasoningFields, isLasting: words.isComplete)
        }
        let finding = errorReader.quirk(head, refusal, of: request, known: known)
        // Other quirks do not apply to this API.
        return finding.flatMap { $0.quirks.isSubset(of: Self.ofFields.union(.ofAbilities)) ? $0 : nil }
    }

    private static let ofFields = LearnedQuirks([.noTemperature, .noTopP, .noParallel, .noStrict, .shortNames]).union(
        .ofEffort
    )
    .union(.allSpare)

    var quirkNames: [QuirkName] { LearnedQuirks.namesOfOpenAI }

    func rewritten(_ request: Body, with quirks: LearnedQuirks) -> Body {
        let request = RequestRewriter.written(request, with: quirks.intersection(Self.ofFields))
        guard quirks.contains(.noReasoningFields) else { return request }
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
