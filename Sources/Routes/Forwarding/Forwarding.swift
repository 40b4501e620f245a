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

/// Handles POST /v1/rerank: sorts documents by their relevance to a query.
func createRerank(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await forward(.rerank, exchange, gateway: gateway)
}

/// Serves an endpoint whose requests the relay can only forward unchanged, not translate.
private func forward(_ endpoint: ForwardedEndpoint, _ exchange: Exchange, gateway: Gateway) async throws(APIError) {
    guard gateway.registry.forwards(endpoint) else { throw .notOffered(endpoint.path) }
    let caller = try await exchange.caller(.chat)
    let content = RequestContent(exchange)
    guard let plan = try await exchange.forwardingPlan(endpoint, content, for: caller) else {
        let name = exchange.record.model ?? ""
        if name.isEmpty { throw gateway.registry.modelCatalog.notFound(name, for: caller) }
        _ = try gateway.registry.resolve(.forwarded(name, to: endpoint, substituting: false), for: caller)
        throw .notOffered(endpoint.path)
    }
    try await exchange.serve(plan, for: caller)
}

extension Exchange {
    /// Serves a request for media, forwarded or in the relay's own form.
    func serve(
        _ endpoint: ForwardedEndpoint,
        _ content: RequestContent,
        for caller: Caller,
        _ operation: any MediaOperation
    ) async throws(APIError) {
        if let plan = try await forwardingPlan(endpoint, content, for: caller, or: operation) {
            return try await serve(plan, for: caller)
        }
        let (model, fields, features) = try await operation.read()
        record.model = model
        let all = try await operation.candidates(gateway.registry.candidates(model, for: caller, able: features))
        let plan = MediaPlan(
            endpoint: endpoint,
            model: model ?? all.leading.name,
            fields: fields,
            candidates: all,
            operation: operation
        )
        try await serve(plan, for: caller)
    }

    /// Reads the request as it can be forwarded. Returns nil if it is to be served in the relay's own form.
    ///
    /// - Parameter operation: the request in the relay's own form; nil if there is none.
    func forwardingPlan(
        _ endpoint: ForwardedEndpoint,
        _ content: RequestContent,
        for caller: Caller,
        or operation: (any MediaOperation)? = nil
    ) async throws(APIError) -> MediaPlan? {
        guard gateway.registry.forwards(endpoint) else { return nil }
        let (fields, forwarded) = try await read(endpoint, content)
        let named = deployment ?? fields.model ?? endpoint.defaultModel
        if !endpoint.allowsSubstitutes, named?.isEmpty ?? true { throw .missing("model") }
        record.model = named
        let wish = ModelWish.forwarded(named ?? "", to: endpoint, substituting: endpoint.allowsSubstitutes)
        guard let named, !named.isEmpty,
            var all = try? gateway.registry.resolve(wish, for: caller, able: endpoint.features).candidates,
            all.canForward(endpoint)
        else { return nil }
        if case .json(let body) = forwarded { try NativeRequest(body).check() }
        var sent = forwarded
        if endpoint == .imageEdits, case .json(let body) = forwarded, let images = try await images(body, caller) {
            guard let having = all.having(images) else { throw images.refusal }
            all = having
            sent = .json(try await worked(ofBytes: body.bytes.count) { images.written(into: body) })
        }
        if let operation, all.isForwardingMixed(endpoint) {
            content.isKept = try await content.readWhole()
            if content.isKept { all = try await operation.candidates(all) }
        }
        guard let candidates = content.isKept ? all : all.forwarding(endpoint) else { return nil }
        try await content.form?.readAhead()
        record.isStreamed = fields.isStreamed
        var cached: CacheLookup?
        if let cache = gateway.cache, let digest = fields.digest {
            cached = CacheLookup(cache, digest, exchange: self)
            lookup = cached
        }
        return MediaPlan(
            endpoint: endpoint,
            model: named,
            fields: fields,
            candidates: candidates,
            request: ForwardedRequest(endpoint, sent, model: named, wantsEvents: fields.wantsEvents),
            operation: content.isKept ? operation : nil,
            cached: cached
        )
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

    // MARK: The request

    private func read(
        _ endpoint: ForwardedEndpoint,
        _ content: RequestContent
    ) async throws(APIError) -> (ForwardedFields, ForwardedRequest.Content) {
        guard endpoint.acceptsForms, !(endpoint == .imageEdits && request.isJSON) else {
            let isDigested = gateway.cache != nil && endpoint == .embeddings && !request.forbidsCaching
            let (fields, body) = try await jsonAndBody { (root) throws(APIError) in
                try ForwardedFields(root, endpoint, isDigested: isDigested)
            }
            content.json = body
            return (fields, .json(body))
        }
        let hasImages = endpoint.group == .images
        let body = try formBody(files: hasImages ? 2 : 1, fileLimitBytes: mediaLimitBytes)
        let form = try ForwardedForm(body, hasImages: hasImages)
        try await form.readBeginning()
        content.form = form
        var fields = ForwardedFields(form)
        if hasImages { fields.pieces = Usage(pieces: fields.images, .image) }
        return (fields, .form(form))
    }
}

extension ForwardedEndpoint {
    var group: EndpointGroup {
        switch self {
        case .embeddings, .moderations, .rerank: .chat
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

    /// Whether another model may replace a model that the vendor has shut down; false if results of
    /// different models cannot be compared.
    fileprivate var allowsSubstitutes: Bool { self != .embeddings && self != .rerank }

    /// The model for a request that names no model; nil if there is no default.
    fileprivate var defaultModel: String? {
        switch self {
        case .moderations: "omni-moderation-latest"
        case .imageGenerations, .imageEdits: ImageCall.defaultModel
        case .imageVariations: ImageCall.defaultVariationModel
        case .embeddings, .rerank, .speech, .transcriptions, .translations: nil
        }
    }

    /// The features of models that can serve this endpoint with a translated request.
    var features: Model.Features {
        switch self {
        case .embeddings, .moderations, .rerank: []
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
            case "/rerank": " It needs a provider of the kind openai or cohere."
            default: ""
            }
        return APIError(404, "\(path) is not offered here.\(instead)", code: "unsupported_endpoint")
    }
}
