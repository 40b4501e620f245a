import Calls
import Engine
import Limits
import Shared
import Upstream

/// A client's request that the relay forwards to one of several candidates.
final class ForwardedCall: OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    private let caller: Caller
    private let fields: ForwardedFields
    private let request: ForwardedRequest
    /// The endpoint's translation of the request; nil to call only candidates that accept the request unchanged.
    private let own: (any TranslatedEndpoint)?
    /// The lookup in the response cache; nil if the request does not use the cache.
    private let cached: CacheLookup?
    private var applicableLimits: ApplicableLimits?
    /// The token count of the request's texts; nil if no limit needs it.
    private var counted: Int?
    /// The indices of the candidates that cannot serve the request.
    private var unable: Set<Int> = []

    init(
        _ exchange: Exchange,
        _ caller: Caller,
        _ fields: ForwardedFields,
        request: ForwardedRequest,
        own: (any TranslatedEndpoint)?,
        cached: CacheLookup?
    ) {
        self.exchange = exchange
        self.caller = caller
        self.fields = fields
        self.request = request
        self.own = own
        self.cached = cached
    }

    /// Calls the candidates until one succeeds, and sends its response to the client.
    func serve(_ candidates: Candidates) async throws(APIError) {
        let leading = candidates.leading
        let group = request.endpoint.group
        let applicableLimits = exchange.applicableLimits(caller, group, servedBy: leading.name)
        self.applicableLimits = applicableLimits
        if !applicableLimits.isPlain { counted = try await fields.tokens(leading.model, exchange) }
        let admission = try await exchange.admit(applicableLimits, try await reserved(candidates))
        if let cached, try await cached.answersForward(request.model, leading.name) { return }
        let kinds = candidates.affinities
        let affinity =
            kinds.isEmpty ? nil : fields.affinity(by: kinds, session: exchange.request.sessionHash(of: caller))
        do throws(UpstreamError) {
            try await candidates.serve(
                self,
                candidates.attempts(billing: admission.billing, affinity: affinity, besides: unable)
            )
        } catch {
            if case .form(let form) = request.content, error.kind != .cancelled { try await form.readRest() }
            throw APIError(error, model: request.model)
        }
    }

    private func pass(
        _ forwarder: any Forwarder,
        _ candidate: Candidate,
        attempt: Attempt
    ) async throws(UpstreamError) {
        let response = try await forwarder.forward(request, for: candidate.model, by: attempt)
        defer { response.stop() }
        do throws(UpstreamError) {
            try await exchange.pass(response, fields, cached, attempt: attempt)
        } catch {
            var error = error
            error.isCut = true
            error.usage = response.usage
            throw error
        }
    }

    // MARK: Terms

    /// Returns a reservation that is large enough for every candidate; nil if the limits count only requests. Adds the
    /// indices of unsuitable candidates to `unable`. Throws if all candidates are unsuitable.
    private func reserved(_ candidates: Candidates) async throws(APIError) -> UsageReservation? {
        guard own != nil else { return try await usageReservation(candidates.leading) }
        var first: UsageReservation?
        var (most, least) = (Amounts(), Amounts())
        var refusal: APIError?
        for position in 0..<candidates.count {
            do throws(APIError) {
                let usageReservation = try await usageReservation(candidates[position])
                first = first ?? usageReservation
                if let usageReservation {
                    (most, least) = (most.most(usageReservation.reserved), least.most(usageReservation.minimum))
                }
            } catch {
                guard error.status < 499 else { throw error }
                refusal = refusal ?? error
                unable.insert(position)
            }
        }
        if unable.count == candidates.count, let refusal { throw refusal }
        return first.map { UsageReservation(reserving: most, atLeast: least, $0) }
    }

    /// Returns the reservation for a call to one candidate; nil if the limits count only requests.
    private func usageReservation(_ candidate: Candidate) async throws(APIError) -> UsageReservation? {
        guard let applicableLimits else { return nil }
        let gateway = exchange.gateway
        if candidate.forwarder == nil, let own {
            let calls = try await own.calls(candidate)
            if request.endpoint.isOfRecordings {
                return UsageReservation(
                    transcriptOf: request.model,
                    by: candidate,
                    for: caller,
                    applicableLimits,
                    gateway
                )
            }
            return UsageReservation(images: images, calls: calls, candidate, applicableLimits, gateway: gateway)
        }
        guard gateway.limits.countsLate || counted != nil else { return nil }
        let prices = gateway.registry.prices(of: candidate, asked: request.model, for: caller)
        func amounts(_ usage: Usage, _ costs: [Cost]) -> Amounts {
            Amounts(tokens: usage.totalTokens, images: images, usd: costs.max()?.usdParts ?? 0)
        }
        var expected = expected(candidate, promptTokens: counted ?? 0)
        var prompt = Usage(promptTokens: expected.promptTokens, completionTokens: 0)
        (expected.pieces, expected.pieceUnit) = (fields.pieces.pieces, fields.pieces.pieceUnit)
        (prompt.pieces, prompt.pieceUnit) = (expected.pieces, expected.pieceUnit)
        if request.endpoint.isOfRecordings {
            let seconds = gateway.limiter.averages.seconds(of: candidate.model.id, for: caller.identity)
            (expected.pieces, expected.pieceUnit) = (seconds, .second)
            (prompt.pieces, prompt.pieceUnit) = (min(seconds, RecentUsageAverages.firstSeconds), .second)
        }
        return UsageReservation(
            reserving: amounts(expected, prices.map { $0.highestCost(expected) }),
            atLeast: amounts(prompt, prices.map { $0.lowestCost(prompt) }),
            model: candidate.model.id,
            creditsPerCall: 0,
            averages: gateway.limiter.averages,
            prompt: UsageReservation.Prompt(outputTokens: expected.completionTokens)
        )
    }

    private func expected(_ candidate: Candidate, promptTokens: Int) -> Usage {
        let isHeld = !(applicableLimits?.isPlain ?? true) && request.endpoint.group != .chat
        let completion = isHeld ? exchange.gateway.expectedTokens(of: candidate.model, for: caller) : 0
        return Usage(estimating: promptTokens, completionTokens: completion)
    }

    private var images: Int { request.endpoint.group == .images ? fields.images : 0 }
}

extension Amounts {
    fileprivate func most(_ other: Amounts) -> Amounts {
        Amounts(
            tokens: max(tokens, other.tokens),
            images: max(images, other.images),
            usd: max(usd, other.usd),
            credits: max(credits, other.credits)
        )
    }
}

extension ForwardedCall: UpstreamTask {
    var hasBegun: Bool { exchange.hasBegun }
    var otherWaitNanoseconds: UInt64 { request.waitedNanoseconds }

    func fit(_ candidate: Candidate, at position: Int) async throws(APIError) -> Fitted<UsageReservation?> {
        Fitted(candidate, try await usageReservation(candidate))
    }

    func open(_ fit: Fitted<UsageReservation?>, _ attempt: Attempt) async throws(UpstreamError) {
        // The usage of an earlier candidate is in the billing.
        exchange.record.usage = nil
        attempt.billing.bill(by: fit.prepared)
        let forwarder = fit.candidate.forwarder
        do throws(UpstreamError) {
            if let forwarder {
                try await pass(forwarder, fit.candidate, attempt: attempt)
            } else {
                try await own?.serve(fit.candidate, attempt)
            }
        } catch {
            var error = error
            error.isFinal = !request.isReplayable
            error.isOfPath = forwarder != nil && (error.status == 404 || error.status == 405)
            throw error
        }
    }

    /// Bills a failed call: the usage that the vendor reported. If it reported none but might charge for the call,
    /// bills the expected usage.
    func failed(_ fit: Fitted<UsageReservation?>, _ attempt: Attempt, _ error: UpstreamError) {
        // A translated call has billed itself.
        guard fit.candidate.forwarder != nil else { return }
        var used = error.usage
        if used == nil, error.mayBeBilled, request.isSent {
            used = expected(fit.candidate, promptTokens: counted ?? fields.estimate?.promptTokens ?? 0)
            // It is not known whether the vendor began a response.
            if !error.isCut, error.kind != .cancelled { used?.completionTokens = 0 }
        }
        let billed = attempt.failed(error, after: used ?? .nothing, isSent: request.isSent)
        exchange.record.usage = used == nil ? nil : billed
    }
}
