import Calls
import Engine
import Shared
import Upstream

/// A chat call that one of several candidates serves, with fallback from one to the next.
final class ChatTask: UpstreamTask, ChatSource, OnLoop, @unchecked Sendable {
    /// An object that holds a chat call, so that the call can be read without a copy.
    private final class RequestedCall: Sendable {
        let call: ChatCall

        init(_ call: consuming ChatCall) { self.call = call }
    }

    /// The chat call as the client requested it; nil if the only plan for the call has it.
    private var asked: RequestedCall?
    private let candidates: Candidates
    private let caller: Caller
    /// The billing of the request; nil before its first call.
    private var billing: Billing?
    private let exchange: Exchange
    /// A plan for the candidate with the index `position`.
    private struct CandidatePlan {
        var position: Int
        let plan: ChatPlan
        /// Whether the relay has checked that the call fits the model's context window.
        var isChecked = false
    }

    /// The first plan for the call, or the plan that replaced it after its use; nil if there is none.
    private var leading: CandidatePlan?
    /// The usable plans besides the first plan (`leading`), each made for another candidate.
    private var others: [CandidatePlan] = []
    /// The errors of candidates that cannot serve the call, by the index of the candidate.
    private var refusals: [Int: APIError] = [:]
    /// A function that receives each candidate right before the relay calls its vendor; nil if not needed.
    private let choosing: ((Candidate) -> Void)?

    /// Throws if the only candidate cannot serve the call.
    init(
        _ call: consuming ChatCall,
        _ candidates: Candidates,
        caller: Caller,
        exchange: Exchange,
        choosing: ((Candidate) -> Void)? = nil
    ) throws(APIError) {
        self.choosing = choosing
        self.candidates = candidates
        self.caller = caller
        self.exchange = exchange
        if candidates.isSingle {
            let plan = try ChatPlan(call, candidates.leading, caller: caller, gateway: exchange.gateway)
            leading = CandidatePlan(position: 0, plan: plan)
        } else {
            asked = RequestedCall(call)
        }
    }

    // MARK: Plans

    func outline() async throws(APIError) -> ChatOutline {
        let plan = if let readyPlan { readyPlan } else { try await leadingPlan() }
        // A response with web search differs from one without. The links of image and speech models expire, and callers
        // who repeat such a request want new media.
        let name = plan.candidate.name + (plan.candidate.model.searchesWeb ? ModelCatalog.online : "")
        return ChatOutline(wanted: plan.wanted, cachedName: plan.candidate.chats ? name : nil)
    }

    func admitted() async throws(APIError) -> Admission {
        let plan = if let readyPlan { readyPlan } else { try await leadingPlan() }
        return try await plan.admitted(exchange)
    }

    /// The plan for the first candidate that can serve the call, if it has been made without waiting; otherwise nil.
    private var readyPlan: ChatPlan? {
        guard let plan = leading?.plan, !plan.isUnfinished else { return nil }
        return plan
    }

    /// Returns the plan for the first candidate that can serve the call.
    func leadingPlan() async throws(APIError) -> ChatPlan {
        for position in 0..<candidates.count {
            if let plan = try await plan(position) { return plan }
        }
        throw refusals[0] ?? .modelNotFound(asked?.call.model ?? "")
    }

    /// Returns the plan for the candidate with this index; nil if the candidate cannot serve the call.
    private func plan(_ position: Int) async throws(APIError) -> ChatPlan? {
        if let plan = known(position) {
            if plan.isUnfinished { try await plan.finish() }
            return plan
        }
        guard let asked else { return nil }
        do throws(APIError) {
            let plan = try ChatPlan(
                asked.call,
                candidates[position],
                caller: caller,
                gateway: exchange.gateway,
                mayRepeat: true
            )
            if plan.isUnfinished { try await plan.finish() }
            let made = CandidatePlan(position: position, plan: plan)
            if leading == nil { leading = made } else { others.append(made) }
            return plan
        } catch {
            // The relay has no time for the call, or the client has disconnected.
            guard error.status < 499 else { throw error }
            refusals[position] = error
            return nil
        }
    }

    /// Returns an existing plan that fits the candidate with this index; nil if none fits.
    private func known(_ position: Int) -> ChatPlan? {
        if let made = leading {
            if made.position == position { return made.plan }
            if passesOn(made, to: position) {
                leading?.position = position
                return made.plan
            }
        }
        return others.first { $0.position == position }?.plan
    }

    /// Passes the first plan on to the candidate with this index, and returns whether the plan fits.
    ///
    /// Returns false, without a change, if this candidate needs a plan of its own.
    @inline(__always)
    private func passesOn(_ made: CandidatePlan, to position: Int) -> Bool {
        guard others.isEmpty, !made.isChecked, let asked, asked.call.original == nil else { return false }
        return made.plan.passes(asked.call, to: candidates[position])
    }

    /// Removes a plan from this fallback. The plan cannot be used again.
    private func forget(_ plan: ChatPlan) {
        if leading?.plan === plan { leading = nil }
        others.removeAll { $0.plan === plan }
    }

    // MARK: Calls of candidates

    /// Calls the candidates until a response has begun, and returns it.
    func open(_ billing: Billing, notes: (any ChatStreamWriter)? = nil) async throws(UpstreamError) -> BegunChat {
        self.billing = billing
        guard candidates.isSingle else { return try await openFirst(billing) }
        // The failure of the only candidate is the failure of the request.
        let plan: ChatPlan
        do throws(APIError) {
            plan = if let readyPlan { readyPlan } else { try await leadingPlan() }
            // A part of a panel has no reservation of its own.
            let usageReservation = billing.usageReservation ?? billed(plan)
            if !plan.isShort(usageReservation) { try await plan.check(usageReservation?.prompt.tokens) }
        } catch {
            throw UpstreamError(refusing: error)
        }
        choosing?(plan.candidate)
        leading = nil
        let attempt = plan.candidate.unboundedCall(billing: billing)
        billing.repeatsEndAt = attempt.loop.now + exchange.gateway.fallbackNanoseconds
        do throws(UpstreamError) {
            let begun = try await plan.open(by: attempt, isLast: true, waitsForEvent: false)
            if case .whole = begun { attempt.served() }
            return begun
        } catch {
            throw attempt.failure(error)
        }
    }

    private func openFirst(_ billing: Billing) async throws(UpstreamError) -> BegunChat {
        let spared = asked.map { candidates.spared($0.call) } ?? []
        let attempts = candidates.attempts(billing: billing, affinity: affinity, besides: spared)
        billing.endsAt = attempts.endsAt
        let begun = try await candidates.attempt(self, attempts)
        billing.endsAt = .distantFuture
        switch begun {
        case .whole: attempts.served()
        case .stream(let delivery):
            attempts.begun()
            delivery.attempts = attempts
        }
        return begun
    }

    func open(_ plan: ChatPlan, _ attempt: Attempt) async throws(UpstreamError) -> BegunChat {
        choosing?(plan.candidate)
        return try await plan.open(by: attempt, isLast: plan.keepsDeadline, waitsForEvent: true)
    }

    func failed(_ plan: ChatPlan, _ attempt: Attempt, _ error: UpstreamError) {
        // Its call has been moved out.
        if plan.keepsDeadline { forget(plan) }
    }

    /// The value by which similar calls go to the same provider and key; nil if the call has no such value.
    private var affinity: AffinityValue? {
        let kinds = candidates.affinities
        return kinds.isEmpty ? nil : asked?.call.affinity(by: kinds, session: exchange.request.sessionHash(of: caller))
    }

    /// Returns a plan, ready for its vendor call, for a candidate. Stores the plan's reservation in the billing.
    func fit(_ candidate: Candidate, at position: Int) async throws(APIError) -> ChatPlan {
        guard let plan = try await plan(position) else {
            throw refusals[position] ?? .modelNotFound(asked?.call.model ?? "")
        }
        let usageReservation = billed(plan)
        // A call that is too long may fit the model of another candidate.
        if isFirstCheck(plan), !plan.isShort(usageReservation) {
            try await plan.check(usageReservation?.prompt.tokens)
        }
        return plan
    }

    private func billed(_ plan: ChatPlan) -> UsageReservation? {
        guard plan.needsReservation else { return nil }
        let usageReservation = plan.usageReservation(under: plan.applicableLimits(exchange))
        if let usageReservation { billing?.bill(by: usageReservation) }
        return usageReservation
    }

    private func isFirstCheck(_ plan: ChatPlan) -> Bool {
        if let made = leading, made.plan === plan {
            leading?.isChecked = true
            return !made.isChecked
        }
        guard let index = others.firstIndex(where: { $0.plan === plan && !$0.isChecked }) else { return false }
        others[index].isChecked = true
        return true
    }
}
