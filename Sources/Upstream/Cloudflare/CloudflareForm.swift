import Calls
import Engine
import Shared

/// A call in Cloudflare's variant of OpenAI's format, or in Cloudflare's own format.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class CloudflareForm: WireForm, @unchecked Sendable {
    private let completions: Endpoint
    /// The model's endpoint in Cloudflare's own API; nil if its name does not give a URL.
    private let run: Endpoint?
    private let model: String
    private let terms: AnswerTerms
    private var isRun = false
    /// Whether the client requests a stream.
    private let isStreamed: Bool
    private var bound = CloudflareRequest.standardTokens
    /// Whether the relay chose the token limit, because the caller gave none.
    private var isOwnBound = false
    private var reader: CloudflareReader?
    private(set) var refusal: APIError?

    init(_ completions: Endpoint, run: Endpoint?, _ call: borrowing ChatCall, _ model: Model) {
        self.completions = completions
        self.run = run
        self.model = model.id
        isStreamed = call.isStreamed
        terms = AnswerTerms(
            model: call.model,
            choices: 1,
            includesUsage: false,
            isNative: false,
            mostCalls: call.mostCalls
        )
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        refusal = call.attachments.refusalBesidesPicturesAndText
        isOwnBound = call.maxTokens == nil
        bound = call.maxTokens ?? CloudflareRequest.standardTokens
        return mended(CloudflareRequest.written(call, model), with: mends)
    }

    func endpoint(isStreamed: Bool) -> Endpoint { isRun ? run ?? completions : completions }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = CloudflareReader(AnswerReader(terms, parser, ids), parser, bound: bound)
        self.reader = reader
        return reader
    }

    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, Fault.cloudflare, tellsFields: false) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        let isMissing =
            head.status == 404 || head.status == 405 || faults.error(head, refusal).kind == .unknownModel
        if isMissing, run != nil, !known.contains(.ownWire) { return .ownWire }
        if head.status == 400, !known.contains(.lowBound), bound == CloudflareRequest.standardTokens, isOwnBound,
            faults.fault(head, refusal).words.say("max_tokens")
        {
            return .lowBound
        }
        return faults.mend(head, refusal, of: request, known: known)
    }

    var mendOfAnswer: Mends? {
        guard let reader, reader.isEmpty, isStreamed else { return nil }
        return .notStreamed
    }

    func mended(_ request: Body, with mends: Mends) -> Body {
        if mends.contains(.ownWire) { isRun = true }
        // A limit that the caller gave is not lowered.
        if mends.contains(.lowBound), isOwnBound { bound = CloudflareRequest.lowTokens }
        return CloudflareRequest.mended(request, with: isOwnBound ? mends : mends.subtracting(.lowBound))
    }
}
