import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Calls the candidates of a plan until a response has begun, and sends the response to the client.
    func serve(_ plan: MediaPlan, for caller: Caller) async throws(APIError) {
        var candidates = plan.candidates
        let leading = candidates.leading
        var terms = try await MediaTerms(plan, caller, self)
        try await countUnknownKey(caller, servedBy: leading)
        let admission = try await admit(terms.limits, terms.reservation)
        if let cached = plan.cached, try await cached.answersForward(plan.model, leading.name) { return }
        if let (index, holder) = try await plan.operation?.holder(candidates) {
            candidates = Candidates(inOrder: [holder])
            terms.keep(index)
        }
        let kinds = candidates.affinities
        let affinity = kinds.isEmpty ? nil : plan.fields.affinity(by: kinds, session: request.sessionHash(of: caller))
        do throws(UpstreamError) {
            let task = MediaTask(self, plan, terms)
            let attempts = candidates.attempts(billing: admission.billing, affinity: affinity, besides: terms.unable)
            let begun = try await candidates.attempt(task, attempts)
            let opened = begun.response
            do throws(UpstreamError) {
                try await task.send(opened.response, opened.attempt)
                begun.served()
            } catch {
                task.bill(error, opened.fit, opened.attempt)
                throw begun.brokeOff(error)
            }
        } catch {
            if error.kind != .cancelled { try await plan.readRest() }
            throw APIError(error, model: plan.model)
        }
    }
}

/// A client's request for media or embeddings, which one of several candidates serves: forwarded unchanged or in the
/// relay's own form.
final class MediaTask: OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    private let plan: MediaPlan
    private let terms: MediaTerms

    fileprivate init(_ exchange: Exchange, _ plan: MediaPlan, _ terms: MediaTerms) {
        self.exchange = exchange
        self.plan = plan
        self.terms = terms
    }

    private var fields: ForwardedFields { plan.fields }

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

    fileprivate func send(_ response: MediaResponse, _ attempt: Attempt) async throws(UpstreamError) {
        switch response {
        case .whole(let type, let body):
            exchange.recordCost()
            body.read { exchange.send(200, $0, type: type) }
        case .audio(let audio):
            do throws(UpstreamError) {
                try await exchange.pass(audio)
            } catch {
                throw error.reporting(credits: audio.credits)
            }
            end(attempt, .made(credits: audio.credits, from: fields.estimate))
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
            record(response, attempt)
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
        record(response, attempt)
        exchange.writer.end()
    }

    /// Bills a complete response and records its usage. Images that the vendor did not make cost nothing.
    private func record(_ response: any ForwardedResponse, _ attempt: Attempt) {
        let isOfText = plan.endpoint.group == .chat
        let outcome = fields.outcome(of: response.usage, images: response.images, isOfText: isOfText)
        if outcome.end == .responded { exchange.record.usage = outcome.usage }
        end(attempt, outcome)
    }

    private func end(_ attempt: Attempt, _ outcome: Bill.Outcome) {
        attempt.end(outcome)
        exchange.recordCost()
    }

    /// Bills a failed call: the usage that the vendor reported. If it reported none for a forwarded request, but might
    /// charge for the call, bills the expected usage.
    fileprivate func bill(_ error: UpstreamError, _ fit: MediaFit, _ attempt: Attempt) {
        let request = fit.call == nil ? plan.request : nil
        var used = error.usage
        used?.addPieces(fields.pieces)
        if used == nil, error.mayBeBilled, let request, request.isSent {
            used = terms.expected(fit.candidate)
            // It is not known whether the vendor began a response.
            if !error.isCut, error.kind != .cancelled { used?.completionTokens = 0 }
        }
        let billed = attempt.end(with: error, after: used ?? .nothing, isSent: request?.isSent ?? true)
        exchange.record.usage = used == nil ? nil : billed
    }
}

/// A request for media that is prepared for one candidate.
struct MediaFit: AttemptFit {
    let candidate: Candidate
    let usageReservation: UsageReservation?
    /// The request in the form of the candidate's vendor; nil to forward the request.
    let call: MediaCall?

    var keepsDeadline: Bool { false }
}

extension MediaTask: UpstreamTask {
    /// A response that has begun, and the call that got it.
    struct Response: Sendable {
        let fit: MediaFit
        let attempt: Attempt
        let response: MediaResponse
    }

    var otherWaitNanoseconds: UInt64 { plan.waitedNanoseconds }

    func fit(_ candidate: Candidate, at index: Int) async throws(APIError) -> MediaFit {
        let (usageReservation, prepared) = try terms.ways[index].get()
        return MediaFit(candidate: candidate, usageReservation: usageReservation, call: try await prepared?.load())
    }

    func open(_ fit: MediaFit, _ attempt: Attempt) async throws(UpstreamError) -> Response {
        // The usage of an earlier candidate is in the billing.
        exchange.record.usage = nil
        attempt.billing.bill(by: fit.usageReservation)
        do throws(UpstreamError) {
            let response: MediaResponse
            if let call = fit.call {
                response = try await call.open(attempt)
            } else if let request = plan.request, let forwarder = fit.candidate.forwarder(plan.endpoint.forwarded) {
                response = try await forwarded(request, by: forwarder, fit.candidate, attempt)
            } else {
                throw UpstreamError(.failed, cause: "the provider cannot serve the request")
            }
            return Response(fit: fit, attempt: attempt, response: response)
        } catch {
            var error = error
            error.isFinal = !plan.isReplayable
            error.isOfPath = fit.call == nil && (error.status == 404 || error.status == 405)
            throw error
        }
    }

    func failed(_ fit: MediaFit, _ attempt: Attempt, _ error: UpstreamError) {
        // `MediaCall` has billed its calls.
        if fit.call == nil { bill(error, fit, attempt) }
    }
}
