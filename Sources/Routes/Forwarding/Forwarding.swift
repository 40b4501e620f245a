import Calls
import Engine
import Limits
import Shared
import Upstream

/// Handles POST /v1/embeddings: forwards the request to a vendor.
func createEmbeddings(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await forward(.embeddings, exchange, gateway: gateway)
}

/// Handles POST /v1/moderations: forwards the request to a vendor.
func createModeration(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await forward(.moderations, exchange, gateway: gateway)
}

/// Serves an endpoint whose requests the relay can only forward unchanged, not translate.
private func forward(_ endpoint: ForwardedEndpoint, _ exchange: Exchange, gateway: Gateway) async throws(APIError) {
    guard gateway.registry.forwards else { throw .notOffered(endpoint.path) }
    let caller = try await exchange.caller(.chat)
    guard try await exchange.forward(endpoint, for: caller) else {
        let name = exchange.record.model ?? ""
        if name.isEmpty { throw gateway.registry.modelCatalog.notFound(name, for: caller) }
        _ = try gateway.registry.resolve(.forwarded(name, substituting: false), for: caller)
        throw .notOffered(endpoint.path)
    }
}

extension Exchange {
    /// Forwards the request to a provider. Returns false, and sends nothing, if no provider is suitable.
    ///
    /// - Parameter own: the endpoint's translation of the request; nil if there is none.
    func forward(
        _ endpoint: ForwardedEndpoint,
        for caller: Caller,
        or own: (any TranslatedEndpoint)? = nil
    ) async throws(APIError) -> Bool {
        guard gateway.registry.forwards else { return false }
        let (fields, content) = try await read(endpoint)
        let named = deployment ?? fields.model ?? endpoint.defaultModel
        if endpoint == .embeddings, named?.isEmpty ?? true { throw .missing("model") }
        record.model = named
        let wish = ModelWish.forwarded(named ?? "", substituting: endpoint.allowsSubstitutes)
        guard let named, !named.isEmpty,
            var all = try? gateway.registry.resolve(wish, for: caller, able: endpoint.features).candidates,
            all.canForward
        else {
            keep(content)
            return false
        }
        if case .json(let body) = content { try NativeRequest(body).check() }
        var sent = content
        if endpoint == .imageEdits, case .json(let body) = content, let images = try await images(body, caller) {
            guard let having = all.having(images) else { throw images.refusal }
            all = having
            sent = .json(try await worked(ofBytes: body.bytes.count) { images.written(into: body) })
        }
        var isShared = false
        if own != nil, all.isForwardingMixed {
            isShared = try await content.isWhole()
            keep(content)
            if isShared, let own { all = try await own.candidates(all) }
        }
        guard let candidates = isShared ? all : all.forwarding else {
            keep(content)
            return false
        }
        if case .form(let form) = content { try await form.readAhead() }
        record.isStreamed = fields.isStreamed
        var cached: CacheLookup?
        if let cache = gateway.cache, let digest = fields.digest {
            cached = CacheLookup(cache, digest, exchange: self)
            lookup = cached
        }
        try await countUnknownKey(caller, servedBy: candidates.leading)
        let request = ForwardedRequest(endpoint, sent, model: named, wantsEvents: fields.wantsEvents)
        let call = ForwardedCall(self, caller, fields, request: request, own: isShared ? own : nil, cached: cached)
        try await call.serve(candidates)
        return true
    }

    /// Returns the stored files named in an image edit's JSON body; nil if there are none.
    private func images(_ body: Body, _ caller: Caller) async throws(APIError) -> KeptImages? {
        let read = try await worked(ofBytes: body.bytes.count) {
            Result { () throws(APIError) in try KeptImages(in: body) }
        }
        guard var images = try read.get() else { return nil }
        try await images.find(by: gateway.mediaAccess(for: caller))
        return images
    }

    private func worked<Value: Sendable>(
        ofBytes bytes: Int,
        _ work: @escaping @Sendable () -> Value
    ) async throws(APIError) -> Value {
        guard let value = await gateway.worker.result(ofBytes: bytes, on: gateway.loop, work) else {
            throw .tooMuchWork
        }
        return value
    }

    /// Sends a vendor's response to the client. Large responses and event streams are sent while they arrive.
    func pass(
        _ response: any ForwardedResponse,
        _ fields: ForwardedFields,
        _ cached: CacheLookup?,
        attempt: Attempt
    ) async throws(UpstreamError) {
        if let whole = response.whole {
            record(response.usage, fields, attempt: attempt)
            if response.status == 200 { await cached?.keep(forwarded: whole) }
            return whole.read { send(response.status, $0, type: response.type) }
        }
        if response.isEventStream {
            record.isStreamed = true
            beginEvents(response.status)
        }
        var held = ByteBuffer()
        var piece = ByteBuffer()
        while try await response.more() {
            response.receive(into: &piece)
            if hasBegun {
                writer.write(piece)
                if writer.isFull { await writer.drained() }
            } else {
                held.append(piece.bytes)
                if held.count > Self.wholeBytes {
                    // The response is too large for the cache.
                    cached?.giveUp()
                    beginBytes(response.status, type: response.type)
                    writer.write(held)
                    held.release()
                }
            }
            piece.removeAll()
        }
        record(response.usage, fields, attempt: attempt)
        if hasBegun { writer.end() } else { send(response.status, held, type: response.type) }
    }

    /// Bills a complete response and records its usage.
    ///
    /// - Parameter reported: the usage that the vendor reported; nil if there is none.
    private func record(_ reported: Usage?, _ fields: ForwardedFields, attempt: Attempt) {
        let isInPieces = reported.map { $0.pieces > 0 && $0.totalTokens == 0 } ?? true
        guard !isInPieces || fields.estimate != nil else {
            attempt.made(reported ?? fields.pieces, credits: nil)
            return recordCost()
        }
        var usage = Usage.completed(reported, prompt: { fields.estimate?.promptTokens ?? 0 }, completion: { 0 })
        if usage.pieces == 0 { (usage.pieces, usage.pieceUnit) = (fields.pieces.pieces, fields.pieces.pieceUnit) }
        record.usage = usage
        attempt.recordResponse(usage, credits: nil)
        recordCost()
    }

    private static let wholeBytes = 65_536

    // MARK: The request

    private func read(
        _ endpoint: ForwardedEndpoint
    ) async throws(APIError) -> (ForwardedFields, ForwardedRequest.Content) {
        guard endpoint.acceptsForms, !(endpoint == .imageEdits && request.isJSON) else {
            let isDigested = gateway.cache != nil && endpoint == .embeddings && !request.forbidsCaching
            let (fields, body) = try await jsonAndBody { (root) throws(APIError) in
                try ForwardedFields(root, endpoint, isDigested: isDigested)
            }
            return (fields, .json(body))
        }
        let form = try forwardedForm(endpoint)
        try await form.readBeginning()
        var fields = ForwardedFields(form)
        if endpoint.group == .images { fields.pieces = Usage(pieces: fields.images, .image) }
        return (fields, .form(form))
    }

    /// Returns the reader of the request's multipart form.
    private func forwardedForm(_ endpoint: ForwardedEndpoint) throws(APIError) -> ForwardedForm {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw APIError(
                415,
                "Content-Encoding is not supported. Send the body without compression.",
                code: "unsupported_media_type"
            )
        }
        let part = UploadLimit(imageLimitBytes, gateway.settings)
        let hasImages = endpoint.group == .images
        let limits = ForwardedForm.Limits(
            part: part,
            bodyBytes: (hasImages ? 2 : 1) * part.bytes + 1_048_576,
            replayBytes: hasImages ? .max : 1_048_576
        )
        let form = try ForwardedForm(request, limits, on: gateway.loop)
        try refuseIfKnownToBeOver()
        return form
    }

    /// Stores the request's content in this exchange, for an endpoint that does not forward the request.
    func keep(_ content: ForwardedRequest.Content) {
        switch content {
        case .json(let body): jsonAhead = body
        case .form(let form): formAhead = form
        }
    }
}

extension ForwardedRequest.Content {
    /// Reads the whole content of the request into memory. Returns whether this was possible: false if the form is too
    /// long.
    fileprivate func isWhole() async throws(APIError) -> Bool {
        guard case .form(let form) = self else { return true }
        return try await form.readWhole()
    }
}

extension ForwardedResponse {
    fileprivate var type: String { mediaType.isEmpty ? "application/octet-stream" : mediaType }
}

extension ForwardedEndpoint {
    var group: EndpointGroup {
        switch self {
        case .embeddings, .moderations: .chat
        case .imageGenerations, .imageEdits, .imageVariations: .images
        case .speech, .transcriptions, .translations: .audio
        }
    }

    var isOfRecordings: Bool { self == .transcriptions || self == .translations }

    fileprivate var acceptsForms: Bool {
        switch self {
        case .imageEdits, .imageVariations, .transcriptions, .translations: true
        default: false
        }
    }

    /// Whether another model may replace a model that the vendor has shut down; false for embeddings.
    fileprivate var allowsSubstitutes: Bool { self != .embeddings }

    /// The model for a request that names no model; nil if there is no default.
    fileprivate var defaultModel: String? {
        switch self {
        case .moderations: "omni-moderation-latest"
        case .imageGenerations, .imageEdits: ImageCall.defaultModel
        case .imageVariations: ImageCall.defaultVariationModel
        case .embeddings, .speech, .transcriptions, .translations: nil
        }
    }

    /// The features of models that can serve this endpoint with a translated request.
    fileprivate var features: Model.Features {
        switch self {
        case .embeddings, .moderations: []
        case .imageGenerations: .image
        case .imageEdits: [.imageEdit, .imageInpaint]
        case .imageVariations: [.image, .imageEdit, .imageInpaint, .imageVariation]
        case .speech: .textToSpeech
        case .transcriptions: .speechToText
        case .translations: .audioTranslation
        }
    }
}

extension APIError {
    /// Returns the error for a part of OpenAI's API that no configured vendor serves.
    static func notOffered(_ path: String) -> APIError {
        let instead =
            switch path {
            case "/assistants", "/threads", "/conversations": " Use /v1/responses."
            case "/embeddings", "/moderations": " It needs a provider of the kind openai (PROVIDER_<NAME>_KIND=openai)."
            default: ""
            }
        return APIError(404, "\(path) is not offered here.\(instead)", code: "unsupported_endpoint")
    }
}
