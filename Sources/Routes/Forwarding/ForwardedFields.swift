import Calls
import Engine
import Limits
import Shared
import Upstream

/// The fields of a request that goes on as it came that the relay itself has to know.
struct ForwardedFields: Sendable {
    var model: String?
    var images = 1
    var isStreamed = false
    /// Or it is not known: the end of a form may not have come.
    private(set) var wantsEvents = true
    /// Those that an embedding is wanted of, or a judgment, or that are drawn or spoken; empty of forms.
    var texts = Body(ByteBuffer())
    /// Of texts that came as numbers.
    var numbers = 0
    /// See `RequestDigest`; nil: the answer is not kept.
    private(set) var digest: Digest?
    /// Values that calls may keep to one provider by; nil: absent.
    private var cacheKey: UInt64?
    private var user: UInt64?

    init() {}

    init(_ form: ForwardedForm) {
        model = form.model
        images = form.images
        isStreamed = form.isStreamed
        user = form.user.flatMap(Self.hash)
    }

    /// - Parameter isDigested: its answer may be kept.
    init(_ root: JSONValue, _ endpoint: ForwardedEndpoint, isDigested: Bool) throws(APIError) {
        let fields = try RequestFields(root)
        if isDigested { digest = RequestDigest.of(root) }
        model = try fields.model()
        cacheKey = root["prompt_cache_key"]?.text.flatMap(Self.hash)
        user = root["user"]?.text.flatMap(Self.hash)
        isStreamed = root["stream"]?.flag == true || root["stream_format"]?.text?.equals("sse") == true
        let isRefused = root["stream"].map { $0.kind == .null || $0.flag == false } ?? true
        wantsEvents = isStreamed || !isRefused
        var texts = ByteBuffer()
        switch endpoint {
        case .embeddings, .moderations:
            guard let input = root["input"] else { throw .missing("input") }
            add(input, to: &texts, depth: 0)
        default:
            if endpoint.group == .images { images = try fields.integer("n", ForwardedForm.imageRange) ?? 1 }
            if let text = (endpoint == .speech ? root["input"] : root["prompt"])?.text { texts.append(text) }
        }
        self.texts = Body(texts)
    }

    private static func hash(_ text: UnsafeRawBufferPointer) -> UInt64? {
        text.isEmpty ? nil : AffinityHash(text).value
    }

    private static func hash(_ text: String) -> UInt64? { text.isEmpty ? nil : AffinityHash(text.utf8).value }

    /// The value that keeps calls with one provider and key: the first of `kinds` that the call has; nil: it has none.
    func affinity(by kinds: [BalanceSettings.Affinity]) -> UInt64? {
        for kind in kinds {
            switch kind {
            case .promptCacheKey: if let cacheKey { return cacheKey }
            case .user: if let user { return user }
            // A prompt that is kept is one of chats.
            case .prefix: continue
            }
        }
        return nil
    }

    /// A text, numbers, parts with a text, or a list of these.
    private mutating func add(_ value: JSONValue, to texts: inout ByteBuffer, depth: Int) {
        if let text = value.text {
            if !texts.isEmpty { texts.append("\n") }
            texts.append(text)
        } else if value.kind == .integer {
            numbers += 1
        } else if let text = value["text"]?.text {
            texts.append(text)
        } else if depth < 2 {
            for element in value.elements ?? JSONElements() { add(element, to: &texts, depth: depth + 1) }
        }
    }

    /// By the model's vocabulary.
    func tokens(_ model: Model, _ exchange: Exchange) async throws(APIError) -> Int {
        let counter = TokenCounter.of(model)
        let texts = texts
        guard !texts.bytes.isEmpty else { return numbers }
        let gateway = exchange.gateway
        let count = await gateway.worker.result(
            ofBytes: texts.bytes.count,
            weight: WorkQueue.countingWeight,
            on: gateway.loop
        ) { counter.count(texts.bytes) }
        guard let count else { throw .tooMuchWork }
        return count + numbers
    }

    /// Without a vocabulary.
    var estimate: Usage? {
        guard !texts.bytes.isEmpty || numbers > 0 else { return nil }
        var estimate = TokenEstimate()
        estimate.add(texts.bytes)
        return Usage(promptTokens: estimate.tokens + numbers, completionTokens: 0)
    }
}
