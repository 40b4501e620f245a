import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Reads the request as it can be forwarded. Returns nil if it is to be served in the relay's own form.
    func forwardingPlan(
        _ endpoint: MediaEndpoint,
        _ content: RequestContent,
        for caller: Caller,
        or operation: (any MediaOperation)?
    ) async throws(APIError) -> MediaPlan? {
        guard gateway.registry.forwards(endpoint.forwarded) else { return nil }
        var (fields, forwarded) = try await read(endpoint, content)
        let named = deployment ?? fields.model ?? endpoint.defaultModel
        if !endpoint.allowsSubstitutes, named?.isEmpty ?? true { throw .missing("model") }
        record.model = named
        let wish = ModelWish.forwarded(named ?? "", to: endpoint.forwarded, substituting: endpoint.allowsSubstitutes)
        guard let named, !named.isEmpty,
            var all = try? gateway.registry.resolve(wish, for: caller, able: endpoint.features).candidates,
            all.canForward(endpoint.forwarded)
        else { return nil }
        if case .json(let body) = forwarded { try NativeRequest(body).check() }
        var sent = forwarded
        if endpoint.forwarded == .imageEdits, case .json(let body) = forwarded,
            let images = try await images(body, caller)
        {
            guard let having = all.having(images) else { throw images.refusal(by: all) }
            all = having
            sent = .json(try await gateway.worked(ofBytes: body.bytes.count) { images.written(into: body) })
        }
        let isMixed = all.isForwardingMixed(endpoint.forwarded)
        content.form?.expectForwarding(isMixed: isMixed)
        if let operation, isMixed {
            content.isKept = try await content.readWhole()
            if content.isKept { all = try await operation.candidates(all) }
        }
        guard let candidates = content.isKept ? all : all.forwarding(endpoint.forwarded) else { return nil }
        if let form = content.form {
            try await form.readAhead()
            fields.readKnown(form)
        }
        record.isStreamed = fields.isStreamed
        var cached: CacheLookup?
        if let cache = gateway.cache, let digest = fields.digest {
            cached = CacheLookup(cache, digest, exchange: self)
            lookup = cached
        }
        var request = ForwardedRequest(endpoint.forwarded, sent, model: named, wantsEvents: fields.wantsEvents)
        request.vectors = fields.vectors
        return MediaPlan(
            endpoint: endpoint,
            model: named,
            fields: fields,
            candidates: candidates,
            request: request,
            operation: content.isKept ? operation : nil,
            cached: cached
        )
    }

    /// Returns the stored files named in an image edit's JSON body; nil if there are none.
    private func images(_ body: Body, _ caller: Caller) async throws(APIError) -> KeptImages? {
        let read = try await gateway.worked(ofBytes: body.bytes.count) { () throws(APIError) in try KeptImages(in: body)
        }
        guard var images = read else { return nil }
        try await images.find(by: gateway.mediaAccess(for: caller))
        return images
    }

    // MARK: The request

    private func read(
        _ endpoint: MediaEndpoint,
        _ content: RequestContent
    ) async throws(APIError) -> (ForwardedFields, ForwardedRequest.Content) {
        guard endpoint.acceptsForms, !(endpoint.forwarded == .imageEdits && request.isJSON) else {
            let isDigested = gateway.cache != nil && endpoint.forwarded == .embeddings && !request.forbidsCaching
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
        return (ForwardedFields(form), .form(form))
    }
}

extension APIError {
    /// Returns the error for a part of OpenAI's API that no configured vendor serves.
    static func notOffered(_ path: String) -> APIError {
        let instead =
            switch path {
            case "/assistants", "/threads", "/conversations": " Use /v1/responses."
            case "/embeddings": " It needs a provider of the kind openai or cloudflare (PROVIDER_<NAME>_KIND)."
            case "/moderations": " It needs a provider of the kind openai (PROVIDER_<NAME>_KIND=openai)."
            case "/rerank": " It needs a provider of the kind openai or cohere."
            default: ""
            }
        return APIError(404, "\(path) is not offered here.\(instead)", code: "unsupported_endpoint")
    }
}
