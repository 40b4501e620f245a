import Calls
import Engine
import Shared
import Upstream

/// A chat call that several candidates or several keys can serve, with fallback from one to the next.
///
/// `@unchecked`: used on the event loop of its request only.
final class ChatFallback: @unchecked Sendable {
    /// An object that holds a chat call, so that the call can be read without a copy.
    private final class RequestedCall: Sendable {
        let call: ChatCall

        init(_ call: consuming ChatCall) { self.call = call }
    }

    /// The chat call as the client requested it; nil once a response has begun.
    private var asked: RequestedCall?
    private let candidates: Candidates
    private let caller: Caller
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
    /// The writer of a streamed response; nil if the response is not streamed.
    private var writer: (any ChatStreamWriter)?

    init(
        _ call: consuming ChatCall,
        _ candidates: Candidates,
        caller: Caller,
        exchange: Exchange,
        choosing: ((Candidate) -> Void)? = nil
    ) {
        asked = RequestedCall(call)
        self.choosing = choosing
        self.candidates = candidates
        self.caller = caller
        self.exchange = exchange
    }

    // MARK: Plans

    /// Returns the plan for the first candidate that can serve the call.
    func leadingPlan() async throws(APIError) -> ChatPlan {
        for position in 0..<candidates.count {
            if let plan = try await plan(position) { return plan }
        }
        throw refusals[0] ?? .modelNotFound(asked?.call.model ?? "")
    }

    /// Returns the plan for the candidate with this index; nil if the candidate cannot serve the call.
    private func plan(_ position: Int) async throws(APIError) -> ChatPlan? {
        if let plan = known(position) { return plan }
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

    /// Calls the candidates until one succeeds. Returns its complete response with the reported, counted or estimated
    /// usage.
    func response(billing: Billing) async throws(UpstreamError) -> (ChatResponse, Usage) {
        try await first(billing: billing) { (plan, attempt, _) async throws(UpstreamError) in
            if plan.keepsDeadline { return try await plan.recordServed(by: attempt) }
            return try await TimedCall(by: attempt.loop).result(
                until: billing.endsAt,
                orFailFor: UpstreamError.tooLate
            ) { () async throws(UpstreamError) in
                try await plan.recordServed(by: attempt, isLast: false)
            }
        }
    }

    /// Calls the candidates until one succeeds, and streams its response to the client.
    func stream(
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        billing: Billing
    ) async throws(UpstreamError) {
        self.writer = writer
        try await first(billing: billing) { [self] (plan, attempt, attempts) async throws(UpstreamError) in
            let streamed = StreamedAttempt(plan, attempt, fallback: self, attempts: attempts)
            if plan.keepsDeadline { return try await streamed.stream(to: writer, wanted, exchange, isLast: true) }
            try await streamed.timedStream(to: writer, wanted, exchange)
        }
    }

    private func first<Value: Sendable>(
        billing: Billing,
        _ ask: (ChatPlan, Attempt, Attempts) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let spared = asked.map { candidates.spared($0.call) } ?? []
        let attempts = candidates.attempts(billing: billing, affinity: affinity, besides: spared)
        billing.endsAt = attempts.endsAt
        while true {
            // Most steps do not suspend. An async function for them would cost a stack frame.
            let (position, plan, attempt): (Int, ChatPlan, Attempt)
            if let atOnce = attempts.nextAtOnce() {
                position = atOnce
            } else {
                guard let later = await next(attempts) else { throw attempts.failure }
                position = later
            }
            if let atOnce = readyAtOnce(position, billing) {
                plan = atOnce
            } else {
                guard let later = try await ready(position, attempts, billing: billing) else { continue }
                plan = later
            }
            if let atOnce = attempts.callAtOnce(plan.candidate) {
                attempt = atOnce
            } else {
                guard let later = await attempts.call(plan.candidate) else { continue }
                attempt = later
            }
            do throws(UpstreamError) {
                let value = try await ask(plan, attempt, attempts)
                begins(billing)
                attempts.served()
                return value
            } catch {
                // A part of the response has been sent to the client.
                if asked == nil { throw attempts.brokeOff(error) }
                if plan.keepsDeadline { forget(plan) }
                try attempts.failed(error)
            }
        }
    }

    /// Returns the index of the next candidate; nil if no candidate is left.
    ///
    /// May wait for free capacity.
    @inline(never)
    private func next(_ attempts: Attempts) async -> Int? {
        let pinging = writer.map { Pinging($0, exchange.gateway.loop) }
        defer { pinging?.stop() }
        return await attempts.next()
    }

    /// The value by which similar calls go to the same provider and key; nil if the call has no such value.
    @inline(never)
    private var affinity: AffinityValue? {
        let kinds = candidates.affinities
        return kinds.isEmpty ? nil : asked?.call.affinity(by: kinds, session: exchange.request.sessionHash(of: caller))
    }

    /// Records that the response has begun. After that, no retry and no fallback is possible.
    func begins(_ billing: Billing) {
        billing.endsAt = .distantFuture
        asked = nil
        leading?.plan.release()
        for made in others { made.plan.release() }
        leading = nil
        others = []
    }

    /// Returns a plan, ready for its vendor call, for the candidate with this index; nil if it cannot serve the call.
    ///
    /// Stores the plan's reservation in the billing.
    private func ready(
        _ position: Int,
        _ attempts: Attempts,
        billing: Billing
    ) async throws(UpstreamError) -> ChatPlan? {
        do throws(APIError) {
            if let plan = try await plan(position) {
                let usageReservation = billed(plan, billing)
                // A call that is too long may fit the model of another candidate.
                if isFirstCheck(plan), !plan.isShort(usageReservation) {
                    try await plan.check(usageReservation?.prompt.tokens)
                }
                choosing?(plan.candidate)
                return plan
            }
            attempts.skip(refusals[position] ?? .modelNotFound(asked?.call.model ?? ""))
        } catch {
            attempts.skip(error)
            guard error.status < 499 else { throw UpstreamError(refusing: error) }
        }
        return nil
    }

    /// Returns the first plan (`leading`) if the candidate with this index can use it at once; otherwise nil.
    ///
    /// Also nil if the length of the call must still be checked.
    private func readyAtOnce(_ position: Int, _ billing: Billing) -> ChatPlan? {
        guard let plan = known(position), plan === leading?.plan else { return nil }
        let usageReservation = billed(plan, billing)
        guard leading?.isChecked ?? true || plan.isShort(usageReservation) else { return nil }
        leading?.isChecked = true
        choosing?(plan.candidate)
        return plan
    }

    private func billed(_ plan: ChatPlan, _ billing: Billing) -> UsageReservation? {
        guard plan.needsReservation else { return nil }
        let usageReservation = plan.usageReservation(under: plan.applicableLimits(exchange))
        if let usageReservation { billing.bill(by: usageReservation) }
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
