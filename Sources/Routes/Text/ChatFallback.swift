import Calls
import Engine
import Shared
import Upstream

/// A call that several candidates, or several keys, could serve. Each candidate has a plan of its own, since vendors
/// lack different abilities; it is made when the candidate is asked.
///
/// `@unchecked`: used on its request's loop only.
final class ChatFallback: @unchecked Sendable {
    /// A call that is looked at where it lies, which one that may change is not.
    private final class Asked: Sendable {
        let call: ChatCall

        init(_ call: consuming ChatCall) { self.call = call }
    }

    /// Kept until an answer begins.
    private var asked: Asked?
    private let candidates: Candidates
    private let caller: Caller
    private let exchange: Exchange
    /// The plan for the candidate at a place.
    private struct Made {
        var place: Int
        let plan: ChatPlan
        /// The call is not too long for the model, or the client was told so.
        var isChecked = false
    }

    /// The plan that was made first, and the others, as long as they can be used.
    private var leading: Made?
    private var others: [Made] = []
    /// By the places of candidates for which there is no plan.
    private var refusals: [Int: APIError] = [:]
    /// Told of each candidate before it is asked; nil: nobody wants to know.
    private let choosing: ((Candidate) -> Void)?
    /// Takes the stream; nil: the answer is whole.
    private var writer: (any AnswerWriter)?

    init(
        _ call: consuming ChatCall,
        _ candidates: Candidates,
        _ caller: Caller,
        _ exchange: Exchange,
        choosing: ((Candidate) -> Void)? = nil
    ) {
        asked = Asked(call)
        self.choosing = choosing
        self.candidates = candidates
        self.caller = caller
        self.exchange = exchange
    }

    // MARK: Plans

    /// The plan for the first candidate that can serve the call, by which it is admitted.
    func leadingPlan() async throws(APIError) -> ChatPlan {
        for place in 0..<candidates.count {
            if let plan = try await plan(place) { return plan }
        }
        throw refusals[0] ?? .modelNotFound(asked?.call.model ?? "")
    }

    /// Nil: the candidate cannot serve the call.
    private func plan(_ place: Int) async throws(APIError) -> ChatPlan? {
        if let plan = known(place) { return plan }
        guard let asked else { return nil }
        do throws(APIError) {
            let plan = try ChatPlan(asked.call, candidates[place], caller, exchange.gateway, mayRepeat: true)
            if plan.isUnfinished { try await plan.finish() }
            let made = Made(place: place, plan: plan)
            if leading == nil { leading = made } else { others.append(made) }
            return plan
        } catch {
            // The relay has no time for the call, or nobody waits for it.
            guard error.status < 499 else { throw error }
            refusals[place] = error
            return nil
        }
    }

    /// One that was made for the candidate, or serves it as well; nil: there is none.
    private func known(_ place: Int) -> ChatPlan? {
        if let made = leading {
            if made.place == place { return made.plan }
            if passesOn(made, to: place) {
                leading?.place = place
                return made.plan
            }
        }
        return others.first { $0.place == place }?.plan
    }

    /// True of the only plan, by which the request was admitted, if its candidate was not asked and the other is like it.
    @inline(__always)
    private func passesOn(_ made: Made, to place: Int) -> Bool {
        guard others.isEmpty, !made.isChecked, let asked, asked.call.original == nil else { return false }
        return made.plan.passes(asked.call, to: candidates[place])
    }

    /// The plan has given its call away.
    private func forget(_ plan: ChatPlan) {
        if leading?.plan === plan { leading = nil }
        others.removeAll { $0.plan === plan }
    }

    // MARK: Asking

    /// The whole answer, and what it used, counted or estimated.
    func answer(billing sheet: CallSheet) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        try await first(billing: sheet) { (plan, vendorCall, _) async throws(UpstreamError) in
            if plan.keepsDeadline { return try await plan.answered(by: vendorCall) }
            return try await TimedCall(by: vendorCall.loop).result(
                until: sheet.endsAt,
                orFailFor: UpstreamError.tooLate
            ) { () async throws(UpstreamError) in
                try await plan.answered(by: vendorCall, isLast: false)
            }
        }
    }

    /// Passes the answer on as it comes. The client is pinged meanwhile.
    func stream(
        to writer: any AnswerWriter,
        _ wanted: WantedAnswer,
        billing sheet: CallSheet
    ) async throws(UpstreamError) {
        self.writer = writer
        try await first(billing: sheet) { [self] (plan, vendorCall, attempts) async throws(UpstreamError) in
            let attempt = StreamedAttempt(plan, vendorCall, self, attempts)
            if plan.keepsDeadline { return try await attempt.stream(to: writer, wanted, exchange, isLast: true) }
            try await attempt.timedStream(to: writer, wanted, exchange)
        }
    }

    private func first<Value: Sendable>(
        billing sheet: CallSheet,
        _ ask: (ChatPlan, VendorCall, Attempts) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let spared = asked.map { candidates.spared($0.call) } ?? []
        let attempts = candidates.attempts(billing: sheet, affinity: affinity, besides: spared)
        sheet.endsAt = attempts.endsAt
        while true {
            // Most steps wait for nothing: a function that might would cost a frame.
            let (place, plan, vendorCall): (Int, ChatPlan, VendorCall)
            if let atOnce = attempts.nextAtOnce() {
                place = atOnce
            } else {
                guard let later = await next(attempts) else { throw attempts.failure }
                place = later
            }
            if let atOnce = readyAtOnce(place, sheet) {
                plan = atOnce
            } else {
                guard let later = try await ready(place, attempts, sheet) else { continue }
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
                begins(sheet)
                attempts.served()
                return value
            } catch {
                // Some of it went to the client.
                if asked == nil { throw attempts.brokeOff(error) }
                if plan.keepsDeadline { forget(plan) }
                try attempts.failed(error)
            }
        }
    }

    /// The next candidate, which may take a wait for capacity. The client is pinged meanwhile.
    @inline(never)
    private func next(_ attempts: Attempts) async -> Int? {
        let pinging = writer.map { Pinging($0, exchange.gateway.loop) }
        defer { pinging?.stop() }
        return await attempts.next()
    }

    /// Nil: there is no such value.
    @inline(never)
    private var affinity: UInt64? {
        let kinds = candidates.affinities
        return kinds.isEmpty ? nil : asked?.call.affinity(by: kinds)
    }

    /// Nothing takes back what the client is told from here on, and nobody else is asked.
    func begins(_ sheet: CallSheet) {
        sheet.endsAt = .distantFuture
        asked = nil
        leading?.plan.release()
        for made in others { made.plan.release() }
        leading = nil
        others = []
    }

    /// The plan for the candidate, which has become the one that the request is billed by; nil: it cannot serve the
    /// call, and is skipped.
    private func ready(
        _ place: Int,
        _ attempts: Attempts,
        _ sheet: CallSheet
    ) async throws(UpstreamError) -> ChatPlan? {
        do throws(APIError) {
            if let plan = try await plan(place) {
                let terms = billed(plan, sheet)
                // A longer call may fit the model of another.
                if isFirstCheck(plan), !plan.isShort(terms) { try await plan.check(terms?.promptTokens) }
                choosing?(plan.candidate)
                return plan
            }
            attempts.skip(refusals[place] ?? .modelNotFound(asked?.call.model ?? ""))
        } catch {
            attempts.skip(error)
            guard error.status < 499 else { throw UpstreamError(refusing: error) }
        }
        return nil
    }

    /// The same, of the plan that was made first; nil: it is not for the candidate, or there is more to be done.
    private func readyAtOnce(_ place: Int, _ sheet: CallSheet) -> ChatPlan? {
        guard let plan = known(place), plan === leading?.plan else { return nil }
        let terms = billed(plan, sheet)
        guard leading?.isChecked ?? true || plan.isShort(terms) else { return nil }
        leading?.isChecked = true
        choosing?(plan.candidate)
        return plan
    }

    private func billed(_ plan: ChatPlan, _ sheet: CallSheet) -> CallTerms? {
        guard plan.hasTerms else { return nil }
        let terms = plan.terms(under: plan.cover(exchange))
        if let terms { sheet.bill(by: terms) }
        return terms
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
