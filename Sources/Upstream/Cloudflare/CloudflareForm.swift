import Engine
import Shared

/// One call to Cloudflare: writes the request body and creates the reader of the response.
///
/// `@unchecked`: used on its event loop. Any thread may call `written`; the worker thread uses `reader` for long
/// responses.
final class CloudflareForm: WireForm, @unchecked Sendable {
    private let completions: Endpoint
    /// The model's endpoint in Cloudflare's own API; nil if the name cannot be part of a URL.
    private let run: Endpoint?
    private let model: String
    private let responseOptions: ResponseOptions
    private let names: ShortToolNames
    private var isRun = false
    /// Whether the client requests a stream.
    private let isStreamed: Bool
    private var bound = CloudflareRequest.standardTokens
    /// Whether the relay chose the token limit of the request, because the client sent none.
    private var isOwnBound = false
    private var reader: CloudflareReader?

    init(_ completions: Endpoint, run: Endpoint?, _ call: borrowing ChatCall, model: Model) {
        self.completions = completions
        self.run = run
        self.model = model.id
        isStreamed = call.isStreamed
        names = ShortToolNames(call)
        responseOptions = ResponseOptions(
            model: call.model,
            choices: 1,
            includesUsage: false,
            isNative: false,
            maxCalls: call.maxCalls
        )
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        isOwnBound = call.maxTokens == nil
        bound = call.maxTokens ?? CloudflareRequest.standardTokens
        adopt(quirks)
        let body = rewritten(CloudflareRequest.written(call, model), with: quirks)
        return WrittenCall(body, refusal: call.attachments.refusal())
    }

    func endpoint(isStreamed: Bool) -> Endpoint { isRun ? run ?? completions : completions }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = CloudflareReader(ChatCompletionReader(responseOptions, parser, ids: ids), parser, bound: bound)
        self.reader = reader
        return names.restoring(reader)
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.cloudflare, namesFields: false)
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        let isMissing = refusal.status == 404 || refusal.status == 405 || refusal.error.kind == .unknownModel
        if isMissing, run != nil, !refusal.known.contains(.ownWire) { return QuirkFinding(.ownWire) }
        if refusal.status == 400, !refusal.known.contains(.lowBound), bound == CloudflareRequest.standardTokens,
            isOwnBound, refusal.words.quote("max_tokens")
        {
            return QuirkFinding(.lowBound)
        }
        return refusal.findingOfOpenAI
    }

    /// A model that does not stream sends an empty response.
    var findingOfResponse: QuirkFinding? {
        guard let reader, reader.isEmpty, isStreamed else { return nil }
        return QuirkFinding([FieldChange("stream"), FieldChange("stream_options")])
    }

    func adopt(_ quirks: Set<Quirk>) {
        if quirks.contains(.ownWire) { isRun = true }
        // A limit that the caller gave is not lowered.
        if quirks.contains(.lowBound), isOwnBound { bound = CloudflareRequest.lowTokens }
    }

    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        CloudflareRequest.rewritten(request, with: isOwnBound ? quirks : quirks.subtracting([.named(.lowBound)]))
    }
}
