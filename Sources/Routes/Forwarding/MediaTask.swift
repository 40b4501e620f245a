import Calls
import Engine
import Limits
import Shared
import Upstream

/// A client's request for media or embeddings, which one of several candidates serves: forwarded unchanged or in the
/// relay's own form.
final class MediaTask: OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    private let caller: Caller
    private let plan: MediaPlan
    private var applicableLimits: ApplicableLimits?
    /// The token count of the request's texts; nil if no limit needs it.
    private var counted: Int?
    /// The indices of the candidates that cannot serve the request.
    private var unable: Set<Int> = []

    init(_ exchange: Exchange, _ caller: Caller, _ plan: MediaPlan) {
        self.exchange = exchange
        self.caller = caller
        self.plan = plan
    }

    private var fields: ForwardedFields { plan.fields }

    /// Calls the candidates until a response has begun, and sends the response to the client.
    func serve() async throws(APIError) {
        var candidates = plan.candidates
        let leading = candidates.leading
        let applicableLimits = exchange.applicableLimits(caller, plan.endpoint.group, servedBy: leading.name)
        self.applicableLimits = applicableLimits
        if plan.request != nil, !applicableLimits.isPlain {
            counted = try await fields.tokens(leading.model, exchange)
        }
        let usageReservation = try await reserved(candidates)
        try await exchange.countUnknownKey(caller, servedBy: leading)
        let admission = try await exchange.admit(applicableLimits, usageReservation)
        if let cached = plan.cached, try await cached.answersForward(plan.model, leading.name) { return }
        if let holder = try await plan.operation?.holder(candidates) {
            candidates = Candidates(inOrder: [holder])
            unable = []
        }
        let kinds = candidates.affinities
        let affinity =
            kinds.isEmpty ? nil : fields.affinity(by: kinds, session: exchange.request.sessionHash(of: caller))
        do throws(UpstreamError) {
            let attempts = candidates.attempts(billing: admission.billing, affinity: affinity, besides: unable)
            let begun = try await candidates.attempt(self, attempts)
            do throws(UpstreamError) {
                try await send(begun.response, begun.attempt)
                attempts.served()
            } catch {
                failed(begun.fit, begun.attempt, error)
                throw attempts.brokeOff(error)
            }
        } catch {
            if case .form(let form) = plan.request?.content, error.kind != .cancelled { try await form.readRest() }
            throw APIError(error, model: plan.model)
        }
    }

    // MARK: The response

    private func forwarded(
        _ request: ForwardedRequest,
        by forwarder: any Forwarder,
        _ candidate: Candidate,
        _ attempt: Attempt
    ) async throws(UpstreamError) -> MediaResponse {
        let response = try await forwarder.forward(request, for: candidate.model, by: attempt)
        if let whole = response.whole { return .forwarded(response, beginning: whole, isWhole: true) }
        var beginning = ByteBuffer()
        var piece = ByteBuffer()
        do throws(UpstreamError) {
            while !response.isEventStream, beginning.count <= Self.wholeBytes {
                guard try await response.more() else {
                    return .forwarded(response, beginning: Body(beginning), isWhole: true)
                }
                response.receive(into: &piece)
                beginning.append(piece.bytes)
                piece.removeAll()
            }
        } catch {
            response.stop()
            throw cut(error, response)
        }
        return .forwarded(response, beginning: Body(beginning), isWhole: false)
    }

    /// The longest forwarded response that is sent to the client as a whole, in bytes.
    private static let wholeBytes = 65_536

    private func cut(_ error: UpstreamError, _ response: any ForwardedResponse) -> UpstreamError {
        var error = error
        error.isCut = true
        error.usage = response.usage
        return error
    }

    private func send(_ response: MediaResponse, _ attempt: Attempt) async throws(UpstreamError) {
        switch response {
        case .whole(let type, let body):
            exchange.recordCost()
            body.read { exchange.send(200, $0, type: type) }
        case .audio(let audio):
            do throws(UpstreamError) {
                try await exchange.pass(audio)
            } catch {
                attempt.failed(error)
                throw error
            }
            attempt.made(credits: audio.credits)
        case .forwarded(let response, let beginning, let isWhole):
            defer { response.stop() }
            do throws(UpstreamError) {
                try await send(response, beginning, isWhole: isWhole, attempt)
            } catch {
                throw cut(error, response)
            }
        }
    }

    /// Sends a vendor's response to the client. Large responses and event streams are sent while they arrive.
    private func send(
        _ response: any ForwardedResponse,
        _ beginning: Body,
        isWhole: Bool,
        _ attempt: Attempt
    ) async throws(UpstreamError) {
        let type = response.mediaType.isEmpty ? "application/octet-stream" : response.mediaType
        if isWhole {
            record(response.usage, attempt)
            if let whole = response.whole, response.status == 200 { await plan.cached?.keep(forwarded: whole) }
            return beginning.read { exchange.send(response.status, $0, type: type) }
        }
        if response.isEventStream {
            exchange.record.isStreamed = true
            exchange.beginEvents(response.status)
        } else {
            // The response is too large for the cache.
            plan.cached?.giveUp()
            exchange.beginBytes(response.status, type: type)
            beginning.read { exchange.writer.write($0) }
        }
        var piece = ByteBuffer()
        while try await response.more() {
            response.receive(into: &piece)
            exchange.writer.write(piece)
            if exchange.writer.isFull { await exchange.writer.drained() }
            piece.removeAll()
        }
        record(response.usage, attempt)
        exchange.writer.end()
    }

    /// Bills a complete response and records its usage.
    ///
    /// - Parameter reported: the usage that the vendor reported; nil if there is none.
    private func record(_ reported: Usage?, _ attempt: Attempt) {
        let isInPieces = reported.map { $0.pieces > 0 && $0.totalTokens == 0 } ?? true
        guard !isInPieces || fields.estimate != nil else {
            attempt.made(reported ?? fields.pieces, credits: nil)
            return exchange.recordCost()
        }
        var usage = Usage.completed(reported, prompt: { fields.estimate?.promptTokens ?? 0 }, completion: { 0 })
        if usage.pieces == 0 { (usage.pieces, usage.pieceUnit) = (fields.pieces.pieces, fields.pieces.pieceUnit) }
        exchange.record.usage = usage
        attempt.recordResponse(usage, credits: nil)
        exchange.recordCost()
    }

    // MARK: Terms

    /// Returns a reservation that is large enough for every candidate; nil if the limits count only requests. Adds the
    /// indices of unsuitable candidates to `unable`. Throws if all candidates are unsuitable.
    private func reserved(_ candidates: Candidates) async throws(APIError) -> UsageReservation? {
        guard plan.operation != nil else { return try await usageReservation(candidates.leading) }
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
        if !isForwarded(to: candidate), let operation = plan.operation {
            let calls = try await operation.calls(candidate)
            if plan.endpoint.isOfRecordings {
                return UsageReservation(
                    transcriptOf: plan.model,
                    by: candidate,
                    for: caller,
                    applicableLimits,
                    gateway
                )
            }
            return UsageReservation(images: images, calls: calls, candidate, applicableLimits, gateway: gateway)
        }
        guard gateway.limits.countsLate || counted != nil else { return nil }
        let prices = gateway.registry.prices(of: candidate, asked: plan.model, for: caller)
        func amounts(_ usage: Usage, _ costs: [Cost]) -> Amounts {
            Amounts(tokens: usage.totalTokens, images: images, usd: costs.max()?.usdParts ?? 0)
        }
        var expected = expected(candidate, promptTokens: counted ?? 0)
        var prompt = Usage(promptTokens: expected.promptTokens, completionTokens: 0)
        (expected.pieces, expected.pieceUnit) = (fields.pieces.pieces, fields.pieces.pieceUnit)
        (prompt.pieces, prompt.pieceUnit) = (expected.pieces, expected.pieceUnit)
        if plan.endpoint.isOfRecordings {
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
        let isHeld = !(applicableLimits?.isPlain ?? true) && plan.endpoint.group != .chat
        let completion = isHeld ? exchange.gateway.expectedTokens(of: candidate.model, for: caller) : 0
        return Usage(estimating: promptTokens, completionTokens: completion)
    }

    private var images: Int { plan.endpoint.group == .images ? fields.images : 0 }
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

/// A request for media that is prepared for one candidate.
struct MediaFit: AttemptFit {
    let candidate: Candidate
    let usageReservation: UsageReservation?
    /// The request in the form of the candidate's vendor; nil to forward the request.
    let prepared: PreparedMedia?

    var keepsDeadline: Bool { false }
}

extension MediaTask: UpstreamTask {
    /// A response that has begun, and the call that got it.
    struct Begun: Sendable {
        let fit: MediaFit
        let attempt: Attempt
        let response: MediaResponse
    }

    var otherWaitNanoseconds: UInt64 { plan.request?.waitedNanoseconds ?? 0 }

    private func isForwarded(to candidate: Candidate) -> Bool { plan.request != nil && candidate.forwarder != nil }

    func fit(_ candidate: Candidate, at position: Int) async throws(APIError) -> MediaFit {
        let usageReservation = try await usageReservation(candidate)
        let prepared = isForwarded(to: candidate) ? nil : try await plan.operation?.prepared(candidate)
        return MediaFit(candidate: candidate, usageReservation: usageReservation, prepared: prepared)
    }

    func open(_ fit: MediaFit, _ attempt: Attempt) async throws(UpstreamError) -> Begun {
        // The usage of an earlier candidate is in the billing.
        exchange.record.usage = nil
        attempt.billing.bill(by: fit.usageReservation)
        do throws(UpstreamError) {
            let response: MediaResponse
            if let prepared = fit.prepared {
                response = try await prepared(attempt)
            } else if let request = plan.request, let forwarder = fit.candidate.forwarder {
                response = try await forwarded(request, by: forwarder, fit.candidate, attempt)
            } else {
                throw UpstreamError(.failed, cause: "the provider cannot serve the request")
            }
            return Begun(fit: fit, attempt: attempt, response: response)
        } catch {
            var error = error
            error.isFinal = plan.request.map { !$0.isReplayable } ?? false
            error.isOfPath = fit.prepared == nil && (error.status == 404 || error.status == 405)
            throw error
        }
    }

    /// Bills a failed call: the usage that the vendor reported. If it reported none but might charge for the call,
    /// bills the expected usage.
    func failed(_ fit: MediaFit, _ attempt: Attempt, _ error: UpstreamError) {
        // A prepared call has billed itself.
        guard fit.prepared == nil, let request = plan.request else { return }
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
