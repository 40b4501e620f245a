import Calls
import Engine
import Shared
import Upstream

/// A call that several candidates, or several keys, could serve. Each candidate has a plan of its own, since vendors
/// lack different abilities; it is made when the candidate is asked.
///
/// `@unchecked`: used on its request's loop only.
final class ChatFallback: @unchecked Sendable {
    /// Kept until an answer begins.
    private var call: ChatCall
    private let candidates: Candidates
    private let caller: Caller
    private let exchange: Exchange
    /// By the places of candidates: their plans, or why there is none.
    private var plans: [Int: ChatPlan] = [:]
    private var refusals: [Int: APIError] = [:]
    private var checked: Set<Int> = []
    /// Told of each candidate before it is asked; nil: the request is billed by its price.
    private let choosing: ((Candidate) -> Void)?

    init(
        _ call: consuming ChatCall,
        _ candidates: Candidates,
        _ caller: Caller,
        _ exchange: Exchange,
        choosing: ((Candidate) -> Void)? = nil
    ) {
        self.call = call
        self.choosing = choosing
        self.candidates = candidates
        self.caller = caller
        self.exchange = exchange
    }

    /// The plan for the first candidate that can serve the call, by which it is admitted.
    func leadingPlan() async throws(APIError) -> ChatPlan {
        for place in 0..<candidates.count {
            if let plan = try await plan(place) { return plan }
        }
        throw refusals[0] ?? .modelNotFound(call.model)
    }

    /// Nil: the candidate cannot serve the call.
    private func plan(_ place: Int) async throws(APIError) -> ChatPlan? {
        if let plan = plans[place] { return plan }
        do throws(APIError) {
            let plan = try ChatPlan(call, candidates[place], caller, exchange.gateway, mayRepeat: true)
            if plan.isUnfinished { try await plan.finish() }
            plans[place] = plan
            return plan
        } catch {
            // The relay has no time for the call, or nobody waits for it.
            guard error.status < 499 else { throw error }
            refusals[place] = error
            return nil
        }
    }

    /// The whole answer, and what it used, counted or estimated.
    func answer(billing sheet: CallSheet) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        try await first(billing: sheet) { (attempt) async throws(UpstreamError) in try await attempt.answer() }
    }

    /// Passes the answer on as it comes. The client is pinged meanwhile.
    func stream(
        to writer: any AnswerWriter,
        _ wanted: WantedAnswer,
        billing sheet: CallSheet
    ) async throws(UpstreamError) {
        try await first(billing: sheet) { [exchange] (attempt) async throws(UpstreamError) in
            try await attempt.stream(to: writer, wanted, exchange)
        }
    }

    private func first<Value: Sendable>(
        billing sheet: CallSheet,
        _ ask: (Attempt) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let affinity = candidates.affinities.isEmpty ? nil : call.affinity(by: candidates.affinities)
        let attempts = candidates.attempts(billing: sheet, affinity: affinity)
        while let place = await attempts.next() {
            guard let plan = try await ready(place, attempts, sheet),
                let vendorCall = await attempts.call(plan.candidate)
            else { continue }
            let attempt = Attempt(plan, vendorCall, self, attempts)
            do throws(UpstreamError) {
                return try await ask(attempt)
            } catch {
                try attempts.failed(error)
            }
        }
        throw attempts.failure
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
                let terms = plan.terms(under: plan.cover(exchange.request))
                if let terms { sheet.bill(by: terms) }
                // A longer call may fit the model of another.
                if checked.insert(place).inserted, !plan.isShort(terms) { try await plan.check(terms?.promptTokens) }
                if let choosing { choosing(plan.candidate) } else { exchange.record.price = plan.candidate.price }
                return plan
            }
            attempts.skip(refusals[place] ?? .modelNotFound(call.model))
        } catch {
            guard error.status < 499 else { throw UpstreamError(refusing: error) }
            attempts.skip(error)
        }
        return nil
    }

    /// An answer has begun: nobody else is asked.
    func release() {
        call.messages = []
        call.original = nil
        for plan in plans.values { plan.release() }
        plans = [:]
    }
}

/// One call of one candidate.
///
/// `@unchecked`: used on its request's loop only.
private final class Attempt: @unchecked Sendable {
    private let plan: ChatPlan
    private let vendorCall: VendorCall
    private let fallback: ChatFallback
    private let attempts: Attempts
    private let timed: TimedAttempt
    private var hasBegun = false

    init(
        _ plan: ChatPlan,
        _ vendorCall: VendorCall,
        _ fallback: ChatFallback,
        _ attempts: Attempts
    ) {
        self.plan = plan
        self.vendorCall = vendorCall
        self.fallback = fallback
        self.attempts = attempts
        timed = attempts.timed()
    }

    func answer() async throws(UpstreamError) -> (ChatAnswer, Usage) {
        try await timed.run { [self] () async throws(UpstreamError) in
            let answer = try await plan.answered(by: vendorCall, isLast: false)
            attempts.served()
            fallback.release()
            return answer
        }
    }

    func stream(
        to writer: any AnswerWriter,
        _ wanted: WantedAnswer,
        _ exchange: Exchange
    ) async throws(UpstreamError) {
        try await timed.run { [self] () async throws(UpstreamError) in
            var answer = try await plan.opened(by: vendorCall, writer, isLast: false)
            answer.stream = BeginningStream(answer.stream) { [self] in begins() }
            try await deliver(OpenChat(answer, to: writer, wanted), exchange)
            if !hasBegun { begins() }
        }
    }

    /// Nothing takes back what the client is told from here on.
    private func begins() {
        hasBegun = true
        timed.begins()
        attempts.served()
        fallback.release()
    }
}

/// A stream that tells of its first event before it hands that over.
///
/// `@unchecked`: used on one loop only.
private final class BeginningStream: ChatAnswerStream, @unchecked Sendable {
    private let stream: any ChatAnswerStream
    private var begins: (() -> Void)?

    init(_ stream: any ChatAnswerStream, _ begins: @escaping () -> Void) {
        self.stream = stream
        self.begins = begins
    }

    var usage: Usage? { stream.usage }
    var countsItself: Bool { stream.countsItself }
    var credits: Int? { stream.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        try await stream.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool {
        guard begins != nil else { return try stream.next(take) }
        return try stream.next { choice, event in
            begins.take()?()
            take(choice, event)
        }
    }

    func stop() { stream.stop() }
}
