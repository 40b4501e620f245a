package import Engine
package import Limits
package import Shared

/// The amounts that are reserved for a request because its actual use is known only after its calls.
package struct UsageReservation: Sendable {
    /// The largest amounts that the request may use, reserved before it runs.
    package let reserved: Amounts
    /// The part of `reserved` that does not come from the mean of earlier responses.
    package let minimum: Amounts
    package let model: String
    /// The credits of a call whose vendor did not report them.
    package let creditsPerCall: Int
    package let averages: RecentUsageAverages
    /// The images of the prompt.
    package var images = ChatCredits.Images.none
    /// The tokens of the prompt; nil if they were not counted.
    package var promptTokens: Int?

    /// Creates the reservation of a request.
    ///
    /// - Parameter minimum: nil if no part of `reserved` comes from a mean.
    package init(
        reserving reserved: Amounts,
        atLeast minimum: Amounts? = nil,
        model: String,
        creditsPerCall: Int,
        averages: RecentUsageAverages
    ) {
        self.reserved = reserved
        self.minimum = minimum ?? reserved
        self.model = model
        self.creditsPerCall = creditsPerCall
        self.averages = averages
    }
}

/// The upstream calls of a request and their usage. When the request ends, its reservation is settled by this usage.
/// Only an `Admission` creates a ledger, so that no vendor is called for a request that was not admitted.
///
/// `@unchecked`: used on its request's loop only.
package final class CallLedger: ResponseDeadline, @unchecked Sendable {
    /// The reserved amounts; nil if no limit counts units that are known only after the calls.
    private var usageReservation: UsageReservation?
    fileprivate var reservation: Reservation?
    /// The capacity held for calls to providers that have a concurrency or rate limit.
    private var capacity: [HeldCapacity] = []
    /// The number of calls to candidates.
    package var attempts = 1
    /// The failures of candidates in order, if there were several.
    package private(set) var failures: [Failure] = []
    /// The server of the last call; nil before the first call. A helper's call restores the previous server.
    package var server: Server?
    /// The usage of the calls for the current response. A prompt counts once, however many choices are made of it.
    private var usage = Usage.nothing
    /// The usage of responses that did not have the requested format and were requested again.
    package private(set) var unmet = Usage.nothing
    /// The usage of candidates that failed after a partial response, and of calls that were repeated.
    private var lost = Usage.nothing
    private var credits = 0
    /// The cost of all calls, each at its own price; nil if no call has a known price.
    private var spent: Cost?
    /// Whether tokens were used that have no known price.
    private var hasUnpriced = false
    /// The servers that reported usage that cannot be true, with one entry for each such call.
    private var impossible: [Server] = []
    /// The credits of calls that were abandoned before any output came.
    private var creditsGivenUp = 0
    private var promptGivenUp = 0
    private var spentGivenUp: Cost?
    private(set) var isRefused = false
    /// The ledgers of a panel's calls, whose usage is added to this ledger's.
    private var parts: [CallLedger] = []
    /// The caller of the request; nil if it is not known.
    package var caller: Caller?
    /// The time since which the request waits for the capacity of a provider; nil: it does not.
    private var capacityWaitStart: LoopTime?
    /// The time that the request waited for capacity so far, in nanoseconds.
    private var capacityWait: UInt64 = 0
    /// Whether a record of each call is kept.
    package var recordsCalls = false
    private var records: [CallRecord] = []
    /// The time after which no call is repeated.
    package var repeatsEndAt = LoopTime.distantFuture
    /// The time by which the response to a chat has to begin; `distantFuture` if there is none.
    package var endsAt = LoopTime.distantFuture

    fileprivate init(_ usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Keeps the capacity of a call. It is released when the request ends, if not before.
    package func hold(_ held: HeldCapacity) { capacity.append(held) }

    /// Releases the capacity when the calls of a candidate have ended.
    package func freeCapacity() {
        for held in capacity { held.end() }
        capacity = []
    }

    /// Whether the request waits for the capacity of a provider.
    package var isWaitingForCapacity: Bool { capacityWaitStart != nil || parts.contains(where: \.isWaitingForCapacity) }

    package func beginCapacityWait(at now: LoopTime) { capacityWaitStart = now }

    package func endCapacityWait(at now: LoopTime) {
        if let start = capacityWaitStart { capacityWait += now.nanoseconds(since: start) }
        capacityWaitStart = nil
    }

    /// The longest time that a call of this ledger and its parts waited for capacity, in nanoseconds.
    package var allCapacityWaits: UInt64 { parts.reduce(capacityWait) { max($0, $1.allCapacityWaits) } }

    /// The deadline for the calls of a chat; nil if there is none.
    package var deadline: (any ResponseDeadline)? { endsAt == .distantFuture ? nil : self }

    /// Creates the ledger for one of several calls that are billed together.
    package func part() -> CallLedger {
        let part = CallLedger(nil)
        part.caller = caller
        part.recordsCalls = recordsCalls
        parts.append(part)
        return part
    }

    /// Keeps the reservation of this part's call until the call ends.
    package func hold(_ units: consuming Reservation) { if units.isOpen { reservation = consume units } }

    /// Settles a part whose call has ended.
    package func end() { settle() }

    /// The number of calls to candidates, parts included.
    package var allAttempts: Int {
        parts.isEmpty ? attempts : parts.reduce(0) { $0 + ($1.provider == nil ? 0 : $1.attempts) }
    }

    /// The failures of this ledger and of its parts.
    package var allFailures: [Failure] { parts.isEmpty ? failures : parts.flatMap(\.failures) }

    /// The cost of all calls so far, parts included; nil if nothing was used or a call has no known price.
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

    /// The records of all calls that have ended, parts included, in the order in which they ended.
    package var allRecords: [CallRecord] {
        if parts.isEmpty { return records }
        return (records + parts.flatMap(\.allRecords)).sorted { $0.endMilliseconds < $1.endMilliseconds }
    }

    func record(impossibleUsageOf server: Server) { impossible.append(server) }

    /// The servers of this ledger and its parts that reported usage that cannot be true, with one entry for each such
    /// call.
    package var impossibleUsage: [Server] {
        parts.isEmpty ? impossible : impossible + parts.flatMap(\.impossible)
    }

    func record(_ record: CallRecord) { records.append(record) }

    /// Sets the reserved amounts once the serving candidate is known.
    package func bill(by usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Adds the cost of a call.
    ///
    /// - Parameter price: nil if the price is not known.
    func spend(_ usage: Usage, at price: Price?) {
        guard let price else {
            if usage.totalTokens > 0 { hasUnpriced = true }
            return
        }
        let cost = price.cost(usage)
        spent = spent.map { $0 + cost } ?? cost
    }

    /// Bills a call that succeeded.
    ///
    /// - Parameters:
    ///   - credits: the credits that the vendor reported; nil if it reported none.
    ///   - paid: returns the credits by the vendor's price list, for a call without reported credits; nil if there is
    ///     no price.
    func recordResponse(_ usage: Usage, credits: Int?, or paid: (UsageReservation) -> Int?) {
        guard let usageReservation else { return }
        add(usage, credits ?? paid(usageReservation), usageReservation)
        usageReservation.averages.record(
            usageReservation.model,
            completionTokens: usage.completionTokens,
            credits: credits
        )
    }

    /// Bills a call that failed. A refused call is free, and so are other choices that were abandoned because of it.
    ///
    /// - Parameter billed: `usage` with the prompt tokens of all calls that make the response.
    func failed(_ error: UpstreamError, after usage: Usage, billed: Usage, at server: Server?) {
        if usage.completionTokens == 0, !error.mayBeBilled {
            isRefused = true
            // A refused call costs zero if its price is known.
            if server?.price != nil { spend(.nothing, at: server?.price) }
        } else if usage.completionTokens == 0, error.kind == .cancelled {
            if let usageReservation {
                creditsGivenUp += server?.credits(usage, usageReservation) ?? usageReservation.creditsPerCall
            }
            promptGivenUp = billed.promptTokens
            if let cost = server?.price?.cost(usage) { spentGivenUp = spentGivenUp.map { $0 + cost } ?? cost }
        } else {
            spend(usage, at: server?.price)
            if let usageReservation { add(billed, server?.credits(usage, usageReservation), usageReservation) }
        }
    }

    /// Clears the refused state before another call, and bills the abandoned calls if no vendor refused.
    package func clearRefusal() {
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += creditsGivenUp
            spent = known
        }
        (isRefused, promptGivenUp, creditsGivenUp, spentGivenUp) = (false, 0, 0, nil)
    }

    /// Records that a response did not have the requested format and is requested again. Its usage and the second
    /// prompt are billed.
    package func recordRetry(after used: Usage) {
        unmet = unmet + used
        let others = usage.completionTokens - used.completionTokens
        usage = Usage(promptTokens: 0, completionTokens: max(0, others))
    }

    /// Bills a call that produced nothing useful and is repeated.
    func lost(_ used: Usage, at server: Server?) {
        spend(used, at: server?.price)
        lost = lost + used
        if let usageReservation { credits += server?.credits(used, usageReservation) ?? 0 }
    }

    /// Bills a helper call: another model did work for the request. `credits` are those that the vendor reported.
    package func helped(by model: String, credits: Int?) {
        guard let usageReservation else { return }
        self.credits += credits ?? usageReservation.averages.expected(of: model).credits
        usageReservation.averages.record(model, completionTokens: 0, credits: credits)
    }

    /// Records the failure of a candidate. Another candidate may still serve the request.
    package func record(_ error: UpstreamError) {
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

    private func add(_ usage: Usage, _ credits: Int?, _ usageReservation: UsageReservation) {
        self.usage.promptTokens = max(self.usage.promptTokens, usage.promptTokens)
        self.usage.completionTokens += usage.completionTokens
        self.credits += credits ?? usageReservation.creditsPerCall
    }

    fileprivate func settle() {
        if !capacity.isEmpty { freeCapacity() }
        for part in parts { part.freeCapacity() }
        guard let reservation = reservation.take() else { return }
        guard let usageReservation else { return }
        reservation.settle(
            used: parts.reduce(used(under: usageReservation)) { $0 + ($1.usageReservation.map($1.used) ?? Amounts()) }
        )
    }

    private func used(under usageReservation: UsageReservation) -> Amounts {
        var (usage, credits) = (usage, credits)
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += creditsGivenUp
        }
        let tokens = usage.totalTokens + unmet.totalTokens + lost.totalTokens
        return Amounts(tokens: tokens, usd: known?.usdParts ?? 0, credits: credits)
    }
}

/// Proof that a request was counted in every limit that covers it. Its ledger settles the reservation when it ends.
package struct Admission: ~Copyable {
    package let callLedger: CallLedger

    /// Creates the admission of a request.
    ///
    /// - Parameter hold: the reservation that admitted the request; only the limiter can make one.
    package init(_ usageReservation: UsageReservation?, holding reservation: consuming Reservation) {
        precondition(reservation.decision.isAdmitted)
        callLedger = CallLedger(usageReservation)
        callLedger.reservation = reservation.isOpen ? consume reservation : nil
    }

    private init() { callLedger = CallLedger(nil) }

    /// Creates an admission for an upload that starts before the request is admitted. The vendor gets the end of the
    /// upload only after `complete` has admitted the request.
    package static func pending() -> Admission { Admission() }

    package func complete(_ usageReservation: UsageReservation?, holding reservation: consuming Reservation) {
        precondition(reservation.decision.isAdmitted)
        callLedger.bill(by: usageReservation)
        callLedger.reservation = reservation.isOpen ? consume reservation : nil
    }

    deinit { callLedger.settle() }
}
