import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/embeddings
func createEmbeddings(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await forward(.embeddings, exchange, gateway)
}

/// POST /v1/moderations
func createModeration(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await forward(.moderations, exchange, gateway)
}

/// An endpoint that only vendors serve who take requests as they came.
private func forward(
    _ endpoint: ForwardedEndpoint,
    _ exchange: Exchange,
    _ gateway: Gateway
) async throws(APIError) {
    guard gateway.registry.forwards else { throw .notOffered(endpoint.path) }
    let caller = try await exchange.caller(.chat)
    guard try await exchange.forward(endpoint, for: caller) else {
        let name = exchange.record.model ?? ""
        if gateway.registry.offers[name].isEmpty { throw gateway.registry.offers.notFound(name, for: caller) }
        throw .notOffered(endpoint.path)
    }
}

extension Exchange {
    /// Serves the request by a provider that takes it as it came; false: it is not for one, and has still to be served.
    func forward(_ endpoint: ForwardedEndpoint, for caller: Caller) async throws(APIError) -> Bool {
        guard gateway.registry.forwards else { return false }
        let (fields, content) = try await read(endpoint)
        let named = fields.model ?? (endpoint == .moderations ? "omni-moderation-latest" : nil)
        if endpoint == .embeddings, named?.isEmpty ?? true { throw .missing("model") }
        record.model = named
        guard let named, !named.isEmpty,
            let candidates = try gateway.registry.forwarding(named, for: caller, besides: endpoint.features)
        else {
            keep(content)
            return false
        }
        record.isStreamed = fields.isStreamed
        let candidate = candidates.leading
        try await countStray(caller, servedBy: candidate)
        let cover = gateway.limits.cover(caller, endpoint.group, request, model: candidate.name)
        let counted = cover.isPlain ? nil : try await fields.tokens(candidate.model, self)
        let terms = { [gateway] (candidate: Candidate) in
            let prices = gateway.registry.prices(of: candidate, asked: named, for: caller)
            return CallTerms(fields, counted, endpoint, candidate, prices, gateway)
        }
        let admission = try await admit(cover, terms(candidate))
        let request = ForwardedRequest(endpoint, content, model: named)
        do throws(UpstreamError) {
            try await candidates.first(billing: admission.sheet) {
                (candidate, vendorCall) async throws(UpstreamError) in
                vendorCall.sheet.bill(by: terms(candidate))
                record.price = candidate.price
                try await answer(request, fields, candidate, vendorCall)
            }
        } catch {
            throw APIError(error, model: named)
        }
        return true
    }

    private func answer(
        _ request: ForwardedRequest,
        _ fields: ForwardedFields,
        _ candidate: Candidate,
        _ vendorCall: VendorCall
    ) async throws(UpstreamError) {
        guard let forwarder = candidate.forwarder else { throw UpstreamError(.unknownModel, cause: "no forwarder") }
        do throws(UpstreamError) {
            let answer = try await forwarder.forward(request, for: candidate.model, by: vendorCall)
            defer { answer.stop() }
            try await pass(answer, fields, vendorCall.sheet)
        } catch {
            var error = error
            if hasBegun { error.remedy = [] }
            vendorCall.sheet.failed(error)
            throw error
        }
    }

    /// Passes an answer on: a small one as a whole, once it has come, others and events as they come.
    private func pass(
        _ answer: any ForwardedAnswer,
        _ fields: ForwardedFields,
        _ sheet: CallSheet
    ) async throws(UpstreamError) {
        if answer.isEventStream {
            record.isStreamed = true
            beginEvents()
        }
        var held = ByteBuffer()
        var piece = ByteBuffer()
        while try await answer.more() {
            answer.take(into: &piece)
            if hasBegun {
                writer.write(piece)
                if writer.isFull { await writer.drained() }
            } else {
                held.append(piece.bytes)
                if held.count > Self.wholeBytes {
                    beginBytes(type: answer.type)
                    writer.write(held)
                    held.release()
                }
            }
            piece.removeAll()
        }
        if let usage = answer.usage ?? fields.estimate {
            record.usage = usage
            sheet.answered(usage, credits: nil)
            cost = record.price?.cost(usage)
        } else {
            sheet.made(credits: nil)
        }
        if hasBegun { writer.end() } else { send(held, type: answer.type) }
    }

    private static let wholeBytes = 65_536

    // MARK: The request

    private func read(
        _ endpoint: ForwardedEndpoint
    ) async throws(APIError) -> (ForwardedFields, ForwardedRequest.Content) {
        guard endpoint.takesForms, !(endpoint == .imageEdits && request.isJSON) else {
            let (fields, body) = try await jsonAndBody { (root) throws(APIError) in
                try ForwardedFields(root, endpoint)
            }
            return (fields, .json(body))
        }
        let form = try forwardedForm(endpoint)
        try await form.readBeginning()
        var fields = ForwardedFields()
        fields.model = form.model
        fields.images = form.images
        fields.isStreamed = form.isStreamed
        return (fields, .form(form))
    }

    /// Images count by their number, which may stand anywhere, so that forms with pictures are held.
    private func forwardedForm(_ endpoint: ForwardedEndpoint) throws(APIError) -> ForwardedForm {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw APIError(415, "Content-Encoding is not accepted here.", code: "unsupported_media_type")
        }
        let part = min(pictureLimitBytes, gateway.settings.maxUploadBytes)
        let hasPictures = endpoint.group == .images
        let limits = ForwardedForm.Limits(
            partBytes: part,
            bodyBytes: (hasPictures ? 2 : 1) * part + 1_048_576,
            replayBytes: hasPictures ? .max : 1_048_576
        )
        let form: ForwardedForm
        do throws(RequestError) {
            form = try ForwardedForm(request, limits)
        } catch {
            throw APIError(error)
        }
        try refuseIfKnownToBeOver()
        return form
    }

    /// For an endpoint that reads it itself.
    private func keep(_ content: ForwardedRequest.Content) {
        switch content {
        case .json(let body): jsonAhead = body
        case .form(let form): formAhead = form as? ForwardedForm
        }
    }
}

extension CallTerms {
    /// - Parameter counted: tokens of the texts; nil: no limit counts them.
    fileprivate init?(
        _ fields: ForwardedFields,
        _ counted: Int?,
        _ endpoint: ForwardedEndpoint,
        _ candidate: Candidate,
        _ prices: [Price],
        _ gateway: Gateway
    ) {
        guard gateway.limits.countsLate || counted != nil else { return nil }
        let usage = Usage(promptTokens: counted ?? 0, completionTokens: 0)
        self.init(
            reserving: Amounts(
                tokens: usage.totalTokens,
                images: endpoint.group == .images ? fields.images : 0,
                usd: prices.map { $0.cost(usage).usdParts }.max() ?? 0
            ),
            model: candidate.model.id,
            price: candidate.price,
            creditsPerCall: 0,
            means: gateway.limiter.means
        )
    }
}

extension ForwardedAnswer {
    fileprivate var type: String { mediaType.isEmpty ? "application/octet-stream" : mediaType }
}

extension ForwardedEndpoint {
    fileprivate var group: EndpointGroup {
        switch self {
        case .embeddings, .moderations: .chat
        case .imageGenerations, .imageEdits, .imageVariations: .images
        case .speech, .transcriptions, .translations: .audio
        }
    }

    fileprivate var takesForms: Bool {
        switch self {
        case .imageEdits, .imageVariations, .transcriptions, .translations: true
        default: false
        }
    }

    /// Those by which other vendors serve it.
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
    /// A section of OpenAI's API that no vendor here serves.
    static func notOffered(_ path: String) -> APIError {
        APIError(404, "\(path) is not offered here.", code: "unsupported_endpoint")
    }
}
