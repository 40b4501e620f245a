import Calls
import Engine
import Shared
import Upstream

/// A call that several candidates or several keys could serve. Each candidate has its own plan, because vendors lack
/// different abilities. A plan is made when its candidate is about to be called.
///
/// `@unchecked`: used on its request's loop only.
final class ChatFallback: @unchecked Sendable {
    /// A call behind a reference, so that it can be read without copying it.
    private final class RequestedCall: Sendable {
        let call: ChatCall

        init(_ call: consuming ChatCall) { self.call = call }
    }

    /// The requested call; nil once a response has begun.
    private var asked: RequestedCall?
    private let candidates: Candidates
    private let caller: Caller
    private let exchange: Exchange
    /// The plan for the candidate at `position`.
    private struct CandidatePlan {
        var position: Int
        let plan: ChatPlan
        /// Whether the length of the call was checked against the model's limit.
        var isChecked = false
    }

    /// The plan that was made first; nil once it cannot be used again.
    private var leading: CandidatePlan?
    /// The plans for other candidates that can still be used.
    private var others: [CandidatePlan] = []
    /// The errors of candidates that cannot serve the call, by the candidates' indexes.
    private var refusals: [Int: APIError] = [:]
    /// Called with each candidate before it is called; nil if nobody needs it.
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

    /// Returns the plan for the first candidate that can serve the call. The request is admitted with this plan.
    func leadingPlan() async throws(APIError) -> ChatPlan {
        for position in 0..<candidates.count {
            if let plan = try await plan(position) { return plan }
        }
        throw refusals[0] ?? .modelNotFound(asked?.call.model ?? "")
    }

    /// Returns the plan for a candidate, and makes it if necessary; nil if the candidate cannot serve the call.
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

    /// Returns an existing plan that was made for the candidate or can be passed on to it; nil if there is none.
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

    /// Passes the plan that the request was admitted with on to another candidate. Returns false if there are other
    /// plans, if the plan was checked already, or if the candidates differ.
    @inline(__always)
    private func passesOn(_ made: CandidatePlan, to position: Int) -> Bool {
        guard others.isEmpty, !made.isChecked, let asked, asked.call.original == nil else { return false }
        return made.plan.passes(asked.call, to: candidates[position])
    }

    /// Forgets a plan that has handed its call over.
    private func forget(_ plan: ChatPlan) {
        if leading?.plan === plan { leading = nil }
        others.removeAll { $0.plan === plan }
    }

    // MARK: Calls of candidates

    /// Returns the complete response and its usage, counted or estimated.
    func response(billing callLedger: CallLedger) async throws(UpstreamError) -> (ChatResponse, Usage) {
        try await first(billing: callLedger) { (plan, vendorCall, _) async throws(UpstreamError) in
            if plan.keepsDeadline { return try await plan.recordServed(by: vendorCall) }
            return try await TimedCall(by: vendorCall.loop).result(
                until: callLedger.endsAt,
                orFailFor: UpstreamError.tooLate
            ) { () async throws(UpstreamError) in
                try await plan.recordServed(by: vendorCall, isLast: false)
            }
        }
    }

    /// Sends the response to the client as it arrives. The client is pinged meanwhile.
    func stream(
        to writer: any ChatStreamWriter,
        _ wanted: FormatterOptions,
        billing callLedger: CallLedger
    ) async throws(UpstreamError) {
        self.writer = writer
        try await first(billing: callLedger) { [self] (plan, vendorCall, attempts) async throws(UpstreamError) in
            let attempt = StreamedAttempt(plan, vendorCall, fallback: self, attempts: attempts)
            if plan.keepsDeadline { return try await attempt.stream(to: writer, wanted, exchange, isLast: true) }
            try await attempt.timedStream(to: writer, wanted, exchange)
        }
    }

    private func first<Value: Sendable>(
        billing callLedger: CallLedger,
        _ ask: (ChatPlan, VendorCall, Attempts) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let spared = asked.map { candidates.spared($0.call) } ?? []
        let attempts = candidates.attempts(billing: callLedger, affinity: affinity, besides: spared)
        callLedger.endsAt = attempts.endsAt
        while true {
            // Most steps do not suspend. An async function for them would cost a stack frame.
            let (position, plan, vendorCall): (Int, ChatPlan, VendorCall)
            if let atOnce = attempts.nextAtOnce() {
                position = atOnce
            } else {
                guard let later = await next(attempts) else { throw attempts.failure }
                position = later
            }
            if let atOnce = readyAtOnce(position, callLedger) {
                plan = atOnce
            } else {
                guard let later = try await ready(position, attempts, callLedger: callLedger) else { continue }
                plan = later
            }
            if let atOnce = attempts.callAtOnce(plan.candidate) {
                vendorCall = atOnce
            } else {
                guard let later = await attempts.call(plan.candidate) else { continue }
                vendorCall = later
            }
            do throws(UpstreamError) {
                let value = try await ask(plan, vendorCall, attempts)
                begins(callLedger)
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

    /// Returns the index of the next candidate, perhaps after a wait for capacity; nil if none is left. The client is
    /// pinged meanwhile.
    @inline(never)
    private func next(_ attempts: Attempts) async -> Int? {
        let pinging = writer.map { Pinging($0, exchange.gateway.loop) }
        defer { pinging?.stop() }
        return await attempts.next()
    }

    /// The hash that keeps similar calls with one provider and key; nil if the call has none.
    @inline(never)
    private var affinity: UInt64? {
        let kinds = candidates.affinities
        return kinds.isEmpty ? nil : asked?.call.affinity(by: kinds)
    }

    /// Records that the response begins. From then on nothing can be retried, and no other candidate is called.
    func begins(_ callLedger: CallLedger) {
        callLedger.endsAt = .distantFuture
        asked = nil
        leading?.plan.release()
        for made in others { made.plan.release() }
        leading = nil
        others = []
    }

    /// Returns the plan for a candidate, and bills the request by its terms. Returns nil if the candidate cannot serve
    /// the call and is skipped.
    private func ready(
        _ position: Int,
        _ attempts: Attempts,
        callLedger: CallLedger
    ) async throws(UpstreamError) -> ChatPlan? {
        do throws(APIError) {
            if let plan = try await plan(position) {
                let usageReservation = billed(plan, callLedger)
                // A call that is too long may fit the model of another candidate.
                if isFirstCheck(plan), !plan.isShort(usageReservation) {
                    try await plan.check(usageReservation?.promptTokens)
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

    /// Returns the first plan if it fits the candidate and can be used without suspending; else nil.
    private func readyAtOnce(_ position: Int, _ callLedger: CallLedger) -> ChatPlan? {
        guard let plan = known(position), plan === leading?.plan else { return nil }
        let usageReservation = billed(plan, callLedger)
        guard leading?.isChecked ?? true || plan.isShort(usageReservation) else { return nil }
        leading?.isChecked = true
        choosing?(plan.candidate)
        return plan
    }

    private func billed(_ plan: ChatPlan, _ callLedger: CallLedger) -> UsageReservation? {
        guard plan.needsReservation else { return nil }
        let usageReservation = plan.usageReservation(under: plan.applicableLimits(exchange))
        if let usageReservation { callLedger.bill(by: usageReservation) }
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
