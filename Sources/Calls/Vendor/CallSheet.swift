package import Engine
package import Limits
package import Shared

/// The units that a request may use and that are known late.
package struct CallTerms: Sendable {
    /// The most that it is held to before it runs.
    package let reserved: Amounts
    /// The part of `reserved` that does not come from the mean of earlier responses.
    package let minimum: Amounts
    package let model: String
    /// Of a call whose vendor did not say.
    package let creditsPerCall: Int
    package let means: UsageMeans
    /// Of the prompt.
    package var pictures = ChatCredits.Pictures.none
    /// Of the prompt, as far as they were counted.
    package var promptTokens: Int?

    /// - Parameter minimum: nil: nothing of `reserved` comes from a mean.
    package init(
        reserving reserved: Amounts,
        atLeast minimum: Amounts? = nil,
        model: String,
        creditsPerCall: Int,
        means: UsageMeans
    ) {
        self.reserved = reserved
        self.minimum = minimum ?? reserved
        self.model = model
        self.creditsPerCall = creditsPerCall
        self.means = means
    }
}

/// The calls that a request made, and what they used. However the request ends, its hold is settled by that. Made by
/// an `Admission` only, so that no vendor is called for a request that was not admitted.
///
/// `@unchecked`: used on its request's loop only.
package final class CallSheet: AnswerDeadline, @unchecked Sendable {
    /// Nil: no limit counts what is known late.
    private var terms: CallTerms?
    fileprivate var hold: Hold?
    /// Of calls with providers that have a bound.
    private var capacity: [HeldCapacity] = []
    /// Calls of candidates.
    package var attempts = 1
    /// Of candidates, where there were several, in their order.
    package private(set) var failures: [Failure] = []
    /// The one that was called last; nil: nobody was. A helper's call puts back what was here.
    package var server: Server?
    /// The prompt counts once, however many choices are made of it.
    private var usage = Usage.nothing
    /// Of answers that were not as demanded, and were asked for once more.
    package private(set) var unmet = Usage.nothing
    /// Of candidates that answered in part and then failed, and of calls that were made once more.
    private var lost = Usage.nothing
    private var credits = 0
    /// Of all calls, each at its own price; nil: none has one.
    private var spent: Cost?
    /// Something was used that has no known price.
    private var hasUnpriced = false
    /// The servers that reported usage that cannot be true, one for each call.
    private var impossible: [Server] = []
    /// Of calls that were given up before anything came.
    private var creditsGivenUp = 0
    private var promptGivenUp = 0
    private var spentGivenUp: Cost?
    private(set) var isRefused = false
    /// The calls of a panel, which are added up here.
    private var parts: [CallSheet] = []
    /// The caller of the request; nil: not known.
    package var caller: Caller?
    /// Whether the request waits for the capacity of a provider.
    package var isWaitingForCapacity = false
    /// Somebody wants to know of each call.
    package var keepsRecords = false
    private var records: [CallRecord] = []
    /// No call is repeated from then on.
    package var repeatsEndAt = LoopTime.distantFuture
    /// The time by which the response to a chat has to begin; `distantFuture` if there is none.
    package var endsAt = LoopTime.distantFuture

    fileprivate init(_ terms: CallTerms?) { self.terms = terms }

    /// Takes over the capacity of a call, which is freed at the request's end, if not before.
    package func hold(_ held: HeldCapacity) { capacity.append(held) }

    /// The calls of a candidate have ended.
    package func freeCapacity() {
        for held in capacity { held.end() }
        capacity = []
    }

    /// For the calls of a chat.
    package var deadline: (any AnswerDeadline)? { endsAt == .distantFuture ? nil : self }

    /// A sheet of its own for one of several calls that are billed together.
    package func part() -> CallSheet {
        let part = CallSheet(nil)
        part.caller = caller
        part.keepsRecords = keepsRecords
        parts.append(part)
        return part
    }

    /// Of a part: units that its call alone is held to, until it ends.
    package func hold(_ units: consuming Hold) { if units.isOpen { hold = consume units } }

    /// The call of a part has ended.
    package func end() { settle() }

    /// Of this sheet and its parts.
    package var allAttempts: Int {
        parts.isEmpty ? attempts : parts.reduce(0) { $0 + ($1.provider == nil ? 0 : $1.attempts) }
    }

    /// The same.
    package var allFailures: [Failure] { parts.isEmpty ? failures : parts.flatMap(\.failures) }

    /// The same: what its calls cost so far; nil: nothing was used, or something that has no known price.
    package var cost: Cost? {
        guard parts.isEmpty else {
            let costs = parts.compactMap(\.cost)
            return costs.dropFirst().reduce(costs.first) { sum, cost in sum.map { $0 + cost } }
        }
        return hasUnpriced ? nil : known
    }

    package var isOfPanel: Bool { !parts.isEmpty }

    private var known: Cost? {
        guard !isRefused, let spentGivenUp else { return spent }
        return spent.map { $0 + spentGivenUp } ?? spentGivenUp
    }

    /// The same: of calls that have ended, in the order in which they did.
    package var allRecords: [CallRecord] {
        if parts.isEmpty { return records }
        return (records + parts.flatMap(\.allRecords)).sorted { $0.endMilliseconds < $1.endMilliseconds }
    }

    func note(impossibleUsageOf server: Server) { impossible.append(server) }

    /// The servers of this sheet and of its parts that reported usage that cannot be true, one for each call.
    package var impossibleUsage: [Server] {
        parts.isEmpty ? impossible : impossible + parts.flatMap(\.impossible)
    }

    func note(_ record: CallRecord) { records.append(record) }

    /// Whoever serves it is known only now.
    package func bill(by terms: CallTerms?) { self.terms = terms }

    /// - Parameter price: nil: it is not known.
    func spend(_ usage: Usage, at price: Price?) {
        guard let price else {
            if usage.totalTokens > 0 { hasUnpriced = true }
            return
        }
        let cost = price.cost(usage)
        spent = spent.map { $0 + cost } ?? cost
    }

    /// - Parameters:
    ///   - credits: as the vendor told them.
    ///   - paid: by what its list tells, where it did not; nil: neither did.
    func answered(_ usage: Usage, credits: Int?, or paid: (CallTerms) -> Int?) {
        guard let terms else { return }
        add(usage, credits ?? paid(terms), terms)
        terms.means.note(terms.model, completionTokens: usage.completionTokens, credits: credits)
    }

    /// A vendor that refused a call has taken nothing for it, nor for other choices that were given up for that.
    ///
    /// - Parameter billed: as `usage`, with the prompts of all calls that make the answer.
    func failed(_ error: UpstreamError, after usage: Usage, billed: Usage, at server: Server?) {
        if usage.completionTokens == 0, !error.mayBeBilled {
            isRefused = true
            // A call that took nothing cost nothing, as far as its price is known.
            if server?.price != nil { spend(.nothing, at: server?.price) }
        } else if usage.completionTokens == 0, error.kind == .cancelled {
            if let terms { creditsGivenUp += server?.credits(usage, terms) ?? terms.creditsPerCall }
            promptGivenUp = billed.promptTokens
            if let cost = server?.price?.cost(usage) { spentGivenUp = spentGivenUp.map { $0 + cost } ?? cost }
        } else {
            spend(usage, at: server?.price)
            if let terms { add(billed, server?.credits(usage, terms), terms) }
        }
    }

    /// Another call follows those that were made so far: what they refused says nothing of it.
    package func forgetRefusal() {
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += creditsGivenUp
            spent = known
        }
        (isRefused, promptGivenUp, creditsGivenUp, spentGivenUp) = (false, 0, 0, nil)
    }

    /// The answer that used so much was not as demanded, and is asked for once more: with a prompt that counts besides.
    package func asksAgain(after used: Usage) {
        unmet = unmet + used
        let others = usage.completionTokens - used.completionTokens
        usage = Usage(promptTokens: 0, completionTokens: max(0, others))
    }

    /// A call of the server's that used so much brought nothing, and is made once more.
    func lost(_ used: Usage, at server: Server?) {
        spend(used, at: server?.price)
        lost = lost + used
        if let terms { credits += server?.credits(used, terms) ?? 0 }
    }

    /// Another model did something for the request; `credits` as its vendor reported them.
    package func helped(by model: String, credits: Int?) {
        guard let terms else { return }
        self.credits += credits ?? terms.means.expected(of: model).credits
        terms.means.note(model, completionTokens: 0, credits: credits)
    }

    /// A candidate failed; the request may have been served by another.
    package func note(_ error: UpstreamError) {
        if usage.completionTokens > 0 || unmet.totalTokens > 0 {
            lost = lost + usage + unmet
            (usage, unmet) = (.nothing, .nothing)
        }
        let credential = error.credential ?? .none
        failures.append(
            Failure(
                provider: provider ?? "",
                key: credential.key.isEmpty ? nil : credential.label,
                fault: error.fault,
                cause: error.loggedCause(hiding: credential)
            )
        )
    }

    private func add(_ usage: Usage, _ credits: Int?, _ terms: CallTerms) {
        self.usage.promptTokens = max(self.usage.promptTokens, usage.promptTokens)
        self.usage.completionTokens += usage.completionTokens
        self.credits += credits ?? terms.creditsPerCall
    }

    fileprivate func settle() {
        if !capacity.isEmpty { freeCapacity() }
        for part in parts { part.freeCapacity() }
        guard let hold = hold.take() else { return }
        guard let terms else { return }
        hold.settle(used: parts.reduce(used(under: terms)) { $0 + ($1.terms.map($1.used) ?? Amounts()) })
    }

    private func used(under terms: CallTerms) -> Amounts {
        var (usage, credits) = (usage, credits)
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += creditsGivenUp
        }
        let tokens = usage.totalTokens + unmet.totalTokens + lost.totalTokens
        return Amounts(tokens: tokens, usd: known?.usdParts ?? 0, credits: credits)
    }
}

/// A request that was counted in every limit that covers it. Settled by its sheet when it ends.
package struct Admission: ~Copyable {
    package let sheet: CallSheet

    /// - Parameter hold: the limiter's, which admitted the request: nobody else can make one.
    package init(_ terms: CallTerms?, holding hold: consuming Hold) {
        precondition(hold.decision.isAdmitted)
        sheet = CallSheet(terms)
        sheet.hold = hold.isOpen ? consume hold : nil
    }

    private init() { sheet = CallSheet(nil) }

    /// For an upload whose vendor sees no end of it before the request has been admitted by `complete`.
    package static func pending() -> Admission { Admission() }

    package func complete(_ terms: CallTerms?, holding hold: consuming Hold) {
        precondition(hold.decision.isAdmitted)
        sheet.bill(by: terms)
        sheet.hold = hold.isOpen ? consume hold : nil
    }

    deinit { sheet.settle() }
}
