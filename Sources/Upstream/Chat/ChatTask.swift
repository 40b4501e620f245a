import Engine
package import Shared

/// A response that a vendor has begun.
package enum BegunChat: Sendable {
    /// The whole response. Its usage is reported, counted or estimated.
    case whole(ChatResponse)
    case stream(OpenChat)
}

/// A chat call that one of several candidates serves.
package final class ChatTask: UpstreamTask, OnLoop, @unchecked Sendable {
    /// The chat call as the client requested it; nil if the only fit has it.
    private var asked: RequestedCall?
    private let candidates: Candidates
    private let caller: Caller
    private let requester: any ChatRequester
    private var fits = Fits()
    /// The billing of the request; nil before its first call.
    private var billing: Billing?
    /// A function that receives each candidate right before the relay calls its vendor; nil if not needed.
    private let choosing: ((Candidate) -> Void)?

    /// Throws if the only candidate cannot serve the call.
    package init(
        _ call: consuming ChatCall,
        _ candidates: Candidates,
        caller: Caller,
        for requester: any ChatRequester,
        choosing: ((Candidate) -> Void)? = nil
    ) throws(APIError) {
        self.choosing = choosing
        self.candidates = candidates
        self.caller = caller
        self.requester = requester
        if candidates.isSingle {
            fits.add(try ChatFit(call, candidates.leading, caller: caller, services: requester.services), at: 0)
        } else {
            asked = RequestedCall(call)
        }
    }

    /// Returns the options of a fit's response, which another candidate may begin in the end.
    package func options(of fit: ChatFit) -> FormatterOptions {
        var options = fit.options
        if !options.mayBeNative, let asked, asked.call.original != nil {
            options.mayBeNative = candidates.list.all.contains { $0.mayPass(asked.call) }
        }
        return options
    }

    /// Whether Claude Code's attribution line may reach a vendor.
    package var sendsAttribution: Bool { candidates.list.all.contains { $0.provider.sendsAttribution } }

    // MARK: Fits

    /// The fit for the first candidate that can serve the call; nil before `leadingFit()` has returned.
    package var ready: ChatFit? { fits.ready }

    /// Returns the fit for the first candidate that can serve the call.
    @inline(never)  // Its variables would be a part of the frame of calls with one candidate.
    package func leadingFit() async throws(APIError) -> ChatFit {
        for index in 0..<candidates.count {
            if let fit = try await made(index) { return fit }
        }
        throw fits.refusals[0] ?? .modelNotFound(asked?.call.model ?? "")
    }

    /// Returns the fit for the candidate with this index; nil if the candidate cannot serve the call.
    private func made(_ index: Int) async throws(APIError) -> ChatFit? {
        if let fit = fits.known(index, candidates[index], asked) {
            if fit.isUnprepared { try await fit.prepare() }
            return fit
        }
        guard let asked else { return nil }
        do throws(APIError) {
            let fit = try ChatFit(
                asked.call,
                candidates[index],
                caller: caller,
                services: requester.services,
                mayRepeat: true
            )
            if fit.isUnprepared { try await fit.prepare() }
            fits.add(fit, at: index)
            return fit
        } catch {
            // The relay has no time for the call, or the client has disconnected.
            guard error.status < 499 else { throw error }
            fits.add(error, at: index)
            return nil
        }
    }

    /// Returns a fit, ready for its vendor call, for a candidate. Its reservation bills the request from now on.
    package func fit(_ candidate: Candidate, at index: Int) async throws(APIError) -> ChatFit {
        guard let fit = try await made(index) else {
            throw fits.refusals[index] ?? .modelNotFound(asked?.call.model ?? "")
        }
        fit.restoreBound()
        let usageReservation = billed(fit)
        // A call that is too long may fit the model of another candidate.
        if fits.isFirstCheck(fit), !fit.isShort(usageReservation) {
            try await fit.check(usageReservation?.prompt.tokens)
        }
        if let billing {
            do throws(UpstreamError) {
                try await billing.fundNextCall()
            } catch {
                throw APIError(error, model: fit.options.model)
            }
            fit.lower(by: billing)
        }
        return fit
    }

    private func billed(_ fit: ChatFit) -> UsageReservation? {
        let usageReservation = requester.usageReservation(for: fit)
        if let usageReservation { billing?.bill(by: usageReservation) }
        return usageReservation
    }

    // MARK: Calls

    /// Calls the candidates until a response has begun, and returns it. A response that is not streamed is whole then.
    package func open(_ billing: Billing) async throws(UpstreamError) -> BegunChat {
        self.billing = billing
        guard candidates.isSingle else { return try await openFirst(billing) }
        let fit: ChatFit
        do throws(APIError) {
            fit = if let ready { ready } else { try await leadingFit() }
            // A part of a panel has no reservation of its own.
            let usageReservation = billing.usageReservation ?? billed(fit)
            if !fit.isShort(usageReservation) { try await fit.check(usageReservation?.prompt.tokens) }
            fit.lower(by: billing)
        } catch {
            throw UpstreamError(refusing: error)
        }
        choosing?(fit.candidate)
        fits.forget(fit)
        let attempt = candidates.onlyCall(of: fit.candidate, billing: billing)
        let call = BegunCall(only: attempt)
        do throws(UpstreamError) {
            return begun(try await fit.open(by: attempt, isLast: true, waitsForEvent: false), call)
        } catch {
            // The failure of the only candidate is the failure of the request.
            throw call.brokeOff(error)
        }
    }

    private func begun(_ response: BegunChat, _ call: consuming BegunCall) -> BegunChat {
        switch response {
        case .whole: call.served()
        case .stream(let open): open.call = consume call
        }
        return response
    }

    @inline(never)  // Its variables would be a part of the frame of calls with one candidate.
    private func openFirst(_ billing: Billing) async throws(UpstreamError) -> BegunChat {
        let excluded = asked.map { candidates.excluded(from: $0.call) } ?? []
        let attempts = candidates.attempts(billing: billing, affinity: affinity, besides: excluded)
        billing.endsAt = attempts.endsAt
        let begun = try await candidates.attempt(self, attempts)
        billing.endsAt = .distantFuture
        return self.begun(begun.response, begun.call)
    }

    package func open(_ fit: ChatFit, _ attempt: Attempt) async throws(UpstreamError) -> BegunChat {
        choosing?(fit.candidate)
        return try await fit.open(by: attempt, isLast: fit.keepsDeadline, waitsForEvent: true)
    }

    package func failed(_ fit: ChatFit, _ attempt: Attempt, _ error: UpstreamError) {
        // Its call has been moved out.
        if fit.keepsDeadline { fits.forget(fit) }
    }

    /// The value by which similar calls go to the same provider and key; nil if the call has no such value.
    private var affinity: AffinityValue? {
        let kinds = candidates.affinities
        return kinds.isEmpty ? nil : asked?.call.affinity(by: kinds, session: requester.sessionHash(of: caller))
    }
}
