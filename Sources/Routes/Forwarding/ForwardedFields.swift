import Engine
import Limits
import Shared
import Upstream

/// The fields of a forwarded request that the relay itself reads.
struct ForwardedFields: Sendable {
    var model: String?
    var images = 1
    /// The images or the spoken characters that the request asks for; none at other endpoints.
    var pieces = Usage.nothing
    var isStreamed = false
    /// Whether the client of a JSON request might want an event stream.
    private(set) var wantsEvents = false
    /// The input texts of the request; of a multipart form, the prompt of images.
    var texts = Body(ByteBuffer())
    /// The number of input tokens that the client sent as token ids instead of texts.
    var numbers = 0
    /// The number of vectors that the request asks for; nil if it is not known, or if it asks for none.
    private(set) var vectors: Int?
    /// The request's digest for the response cache; nil if the response is not cached.
    private(set) var digest: Digest?
    /// The hash of the field `prompt_cache_key`; nil if the field is absent.
    private var cacheKey: UInt64?
    /// The field `user`; nil if it is absent.
    private var user: String?
    /// The user whom the request names.
    private(set) var endUser = EndUser()

    init(_ form: ForwardedForm) {
        model = form.model
        readKnown(form)
    }

    /// Reads the fields that are not needed to choose a model, as far as they have arrived.
    mutating func readKnown(_ form: ForwardedForm) {
        isStreamed = form.isStreamed
        images = form.images
        if form.hasImages {
            pieces = Usage(pieces: images, .image)
            texts = Body(copying: form.prompt.bytes)
        }
        (user, endUser) = (form.user, EndUser(safetyIdentifier: form.safetyIdentifier, user: form.user))
    }

    /// The fields of a form that the relay reads itself.
    init(_ fields: [(name: String, text: String)], images: Int = 0, prompt: String = "") {
        self.images = images
        if !prompt.isEmpty { texts = prompt.withBytes { Body(copying: $0) } }
        func text(_ name: String) -> String? { fields.first { $0.name.hasSameBytes(as: name) }?.text }
        user = text("user")
        endUser = EndUser(safetyIdentifier: text("safety_identifier"), user: user)
    }

    /// Reads the fields of a JSON request, and computes its digest for the response cache if `isDigested`.
    init(_ root: JSONValue, _ endpoint: MediaEndpoint, isDigested: Bool = false) throws(APIError) {
        let fields = try RequestFields(root)
        if isDigested { digest = RequestDigest.of(root)?.plain }
        model = try fields.model()
        cacheKey = root["prompt_cache_key"]?.text.flatMap(Self.hash)
        user = root["user"]?.string
        endUser = EndUser(safetyIdentifier: root["safety_identifier"]?.string, user: user)
        isStreamed = root["stream"]?.flag == true || root["stream_format"]?.text?.equals("sse") == true
        let isRefused = root["stream"].map { $0.kind == .null || $0.flag == false } ?? true
        wantsEvents = isStreamed || !isRefused
        try endpoint.read(&self, root)
    }

    static func readEmbedding(_ fields: inout ForwardedFields, _ root: JSONValue) throws(APIError) {
        try readInput(&fields, root)
        fields.vectors = root["input"].flatMap(vectors)
    }

    /// Reads the texts of an embedding or a moderation.
    static func readInput(_ fields: inout ForwardedFields, _ root: JSONValue) throws(APIError) {
        guard let input = root["input"] else { throw .missing("input") }
        fields.read([input])
    }

    /// Returns the number of vectors for an input: one for each text or list of token ids; nil if it is not known.
    private static func vectors(of input: JSONValue) -> Int? {
        guard let elements = input.elements else { return input.kind == .string ? 1 : nil }
        var count = 0
        for element in elements {
            switch element.kind {
            case .string, .array: count += 1
            // Token ids, perhaps between texts, are a single input.
            case .integer: return 1
            default: return nil
            }
        }
        return count
    }

    static func readSearch(_ fields: inout ForwardedFields, _ root: JSONValue) throws(APIError) {
        guard try RequestFields(root).length("query") != nil, let query = root["query"] else { throw .missing("query") }
        guard let documents = root["documents"] else { throw .missing("documents") }
        guard let count = documents.elements?.reduce(0, { sum, _ in sum + 1 }) else {
            throw .type("documents", "an array")
        }
        guard (1...maxDocuments).contains(count) else {
            throw .value("documents", "must have 1 to \(maxDocuments) documents")
        }
        fields.read([query, documents])
        fields.pieces = Usage(pieces: 1, .search)
    }

    static func readImages(_ fields: inout ForwardedFields, _ root: JSONValue) throws(APIError) {
        fields.images = try RequestFields(root).integer("n", ForwardedForm.imageRange) ?? 1
        fields.pieces = Usage(pieces: fields.images, .image)
        if let prompt = root["prompt"]?.text { fields.texts = Body(copying: prompt) }
    }

    static func readSpeech(_ fields: inout ForwardedFields, _ root: JSONValue) {
        guard let text = root["input"]?.text else { return }
        fields.texts = Body(copying: text)
        // All bytes of a character but the first begin with the bits 10.
        fields.pieces = Usage(pieces: text.count { $0 & 0xc0 != 0x80 }, .character)
    }

    private mutating func read(_ values: [JSONValue]) {
        var texts = ByteBuffer()
        for value in values { add(value, to: &texts, depth: 0) }
        self.texts = Body(texts)
    }

    private static let maxDocuments = 1_000

    private static func hash(_ text: UnsafeRawBufferPointer) -> UInt64? {
        text.isEmpty ? nil : AffinityHash(text).value
    }

    private static func hash(_ text: String) -> UInt64? { text.isEmpty ? nil : AffinityHash(text.utf8).value }

    /// Returns the first value in `kinds` that the request has; nil if it has none of them. Requests with an equal
    /// value go to the same provider.
    func affinity(by kinds: [BalanceSettings.Affinity], session: @autoclosure () -> UInt64?) -> AffinityValue? {
        for kind in kinds {
            switch kind {
            case .promptCacheKey: if let cacheKey { return AffinityValue(cacheKey) }
            case .user: if let user, let hash = Self.hash(user) { return AffinityValue(hash) }
            case .session: if let session = session() { return AffinityValue(session, isSession: true) }
            // Only chats have a prompt prefix.
            case .prefix: continue
            }
        }
        return nil
    }

    /// Appends the input texts in a JSON value to `texts`, also those in nested lists. Counts token ids in `numbers`.
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

    /// Returns the number of input tokens, counted with the model's vocabulary.
    func tokens(_ model: Model, _ exchange: Exchange) async throws(APIError) -> Int {
        let counter = TokenCounter.of(model)
        let texts = texts
        guard !texts.bytes.isEmpty else { return numbers }
        let weight = WorkQueue.countingWeight
        return try await exchange.gateway.worked(ofBytes: texts.bytes.count, weight: weight) {
            counter.count(texts.bytes)
        } + numbers
    }

    /// The usage of the input, estimated without a tokenizer vocabulary; nil if there is no input.
    var estimate: Usage? {
        guard !texts.bytes.isEmpty || numbers > 0 else { return nil }
        var estimate = TokenEstimate()
        estimate.add(texts.bytes)
        return Usage(promptTokens: estimate.tokens + numbers, completionTokens: 0)
    }

    /// Returns the end of the call that got a complete response. Without reported tokens, only the tokens of a response to
    /// text, such as embeddings, are those of the input: images and speech are the larger part of theirs.
    /// - Parameter made: the images in the response; nil if they were not counted.
    func outcome(of reported: Usage?, images made: Int?, isOfText: Bool) -> Bill.Outcome {
        let images = made.map { min($0, self.images) }
        var usage = reported ?? .nothing
        let hasTokens = usage.totalTokens > 0 || isOfText && estimate != nil
        if hasTokens {
            usage = Usage.completed(reported, prompt: { estimate?.promptTokens ?? 0 }, completion: { 0 })
        }
        usage.addPieces(images.map { Usage(pieces: $0, .image) } ?? pieces)
        var outcome = hasTokens ? Bill.Outcome(.responded, usage) : .made(usage, credits: nil, from: estimate)
        outcome.images = images ?? 0
        return outcome
    }
}
