package import Engine
package import Limits
package import Shared

/// A call that has begun and not ended.
protocol OpenCall: AnyObject {
    /// Records the end of a call that was dropped: its request ends without an end of the call.
    func recordDropped()
}

/// The upstream calls of one request and their usage. This usage settles the request's reservation.
///
/// Only an `Admission` creates the billing of a request.
package final class Billing: ResponseDeadline, OnLoop, @unchecked Sendable {
    /// The amounts that are reserved for the request; nil if nothing is reserved.
    ///
    /// Nothing is reserved, for example, if the limits count only requests.
    package private(set) var usageReservation: UsageReservation?
    fileprivate var reservation: Reservation?
    /// The limits from which the request reserves more while it runs; nil if it does not.
    var funding: Funding?
    /// The tokens of output that budgets paid at the admission; nil without a budget.
    package internal(set) var fundedOutput: Int?
    /// The tokens of output that a panel's call may use; nil if nothing bounds them.
    package var outputShare: Int?
    /// The kept fields of the last response of a vendor of the client's own API, and whether the call used the caller's
    /// own key; nil if there is none.
    package internal(set) var vendorFields: (all: [VendorField], isOfCaller: Bool)?
    /// The bound of the output of a choice that budgets have lowered, and that of all choices; nil if they lowered none.
    package internal(set) var lowered: (bound: Int, ofAll: Int)?
    /// The capacity held for calls to providers that have a concurrency or rate limit.
    private var capacity: [HeldCapacity] = []
    /// The number of attempts to serve the request. Each attempt uses one candidate and one key.
    package var attempts = 1
    /// The failures of candidates so far, in order.
    package private(set) var failures: [Failure] = []
    /// The time that the request may wait for limits of its vendors, in nanoseconds; 0 if it must not wait.
    package var patience: UInt64 = 0
    /// The waits for limits of vendors that have ended.
    var vendorWaits: [(provider: String, outcome: LoopMetrics.WaitOutcome)] = []
    /// The provider and model of the last upstream call; nil before the first one.
    ///
    /// Helper calls, in which another model works for the request, do not count.
    package var server: Server?
    private var bill = Bill()
    /// The call that has begun and not ended; nil if there is none.
    private var open: (any OpenCall)?
    /// Further calls that have begun and not ended.
    private var othersOpen: [any OpenCall] = []
    /// The output tokens that are billed for calls that were left without a report of their usage.
    private var unreportedTokens = 0
    /// Whether the calls' causes of failure are kept.
    package var recordsCalls = false
    /// The billings of a panel's calls. Their usage is added to the usage of this billing.
    private var parts: [Billing] = []
    /// The caller of the request; nil if it is not known.
    package var caller: Caller?
    /// The time at which the request began to wait for capacity; nil if the request is not waiting.
    private var capacityWaitStart: LoopTime?
    /// The total time that the request has waited for capacity, in nanoseconds.
    private var capacityWait: UInt64 = 0
    /// The time after which the relay no longer repeats a failed call.
    var repeatsEndAt = LoopTime.distantFuture
    /// The time by which the response to a chat must begin; `distantFuture` if there is no deadline.
    package var endsAt = LoopTime.distantFuture

    /// Whether a limit that covers the request counts dollars.
    package var limitsCost = false
    /// The names of fields and tools that the vendor does not get because of the settings or the limits.
    package private(set) var leftOut: [String] = []

    /// Forgets what an earlier call left out.
    func leaveNothingOut() { if !leftOut.isEmpty { leftOut = [] } }

    package func leaveOut(_ name: String) {
        if !leftOut.contains(where: name.hasSameBytes) { leftOut.append(name) }
    }

    fileprivate init(_ usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Keeps the capacity of an upstream call. The capacity is released when the request ends, if not earlier.
    package func hold(_ held: HeldCapacity) { capacity.append(held) }

    /// Releases all capacity that this billing holds. Call it when the calls of a candidate have ended.
    package func freeCapacity() {
        for held in capacity { held.end() }
        capacity = []
    }

    /// Whether this billing or a billing of a panel's call waits for a provider's capacity.
    package var isWaitingForCapacity: Bool { capacityWaitStart != nil || parts.contains(where: \.isWaitingForCapacity) }

    func beginCapacityWait(at now: LoopTime) { capacityWaitStart = now }

    func endCapacityWait(at now: LoopTime) {
        if let start = capacityWaitStart { capacityWait += now.nanoseconds(since: start) }
        capacityWaitStart = nil
    }

    /// The time that the request has waited for capacity, in nanoseconds.
    ///
    /// The calls of a panel have billings of their own. The longest wait in any of these billings counts.
    package var allCapacityWaits: UInt64 {
        parts.isEmpty ? capacityWait : parts.reduce(capacityWait) { max($0, $1.allCapacityWaits) }
    }

    /// The deadline for the response to a chat; nil if there is no deadline.
    package var deadline: (any ResponseDeadline)? { endsAt == .distantFuture ? nil : self }

    /// Creates and returns a billing for one of several calls that this billing bills together.
    package func part() -> Billing {
        let part = Billing(nil)
        part.caller = caller
        part.limitsCost = limitsCost
        part.recordsCalls = recordsCalls
        part.patience = patience
        parts.append(part)
        return part
    }

    /// Keeps the reservation of a panel's call, to which this billing belongs. `settle` ends it.
    package func hold(_ units: consuming Reservation) { if units.isOpen { reservation = consume units } }

    /// The number of attempts to serve the request; for a panel, the sum over its calls.
    package var allAttempts: Int {
        parts.isEmpty ? attempts : parts.reduce(0) { $0 + ($1.provider == nil ? 0 : $1.attempts) }
    }

    /// The failures of candidates; for a panel, the failures in all its calls.
    package var allFailures: [Failure] { parts.isEmpty ? failures : parts.flatMap(\.failures) }

    /// The waits for limits of vendors, including those of a panel's calls.
    package var allVendorWaits: [(provider: String, outcome: LoopMetrics.WaitOutcome)] {
        parts.isEmpty ? vendorWaits : vendorWaits + parts.flatMap(\.allVendorWaits)
    }

    /// The cost of all calls so far, including a panel's calls; nil if nothing was used or a cost is unknown.
    package var cost: Cost? {
        if parts.isEmpty { return bill.cost }
        let costs = parts.map { $0.bill.costs }
        if costs.contains(where: \.isPartial) { return nil }
        return costs.compactMap(\.known).reduce(nil) { sum, cost in sum.map { $0 + cost } ?? cost }
    }

    package var isOfPanel: Bool { !parts.isEmpty }

    /// Returns `usage` with that of responses that lacked the requested format and were therefore requested again.
    func withUnmet(_ usage: Usage) -> Usage { bill.mayHaveRejected ? usage + bill.rejected : usage }

    /// The usage of all calls of a request that failed; nil if nothing was used. A panel's calls count for themselves.
    package var usageOfFailure: Usage? {
        let usage = bill.usage
        return usage.totalTokens > 0 ? usage : nil
    }

    /// The record of the only ended call; nil if no call or several calls have ended.
    package var onlyRecord: CallRecord? { parts.isEmpty ? bill.only : nil }

    /// The records of all ended calls, including a panel's calls, ordered by their ends.
    package var allRecords: [CallRecord] {
        if parts.isEmpty { return bill.calls }
        return (bill.calls + parts.flatMap(\.allRecords)).sorted { $0.endedAt < $1.endedAt }
    }

    /// The providers and models of calls with an impossible number of tokens, including a panel's calls.
    ///
    /// Each such call adds one entry.
    package var impossibleUsage: [Server] {
        parts.isEmpty ? bill.impossibleUsage : bill.impossibleUsage + parts.flatMap { $0.bill.impossibleUsage }
    }

    func record(_ call: CallRecord) { bill.record(call) }

    /// Keeps a call that has begun until its end.
    func begin(_ call: any OpenCall) { if open == nil { open = call } else { othersOpen.append(call) } }

    func end(_ call: any OpenCall) {
        if open === call { open = othersOpen.popLast() } else { othersOpen.removeAll { $0 === call } }
    }

    /// Sets the reservation by which calls are billed, once the candidate that serves the request is known.
    package func bill(by usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Records what a successful call used, for the averages by which further requests are reserved.
    /// - Parameter model: the model that served the call; nil for that of the reservation.
    func learn(_ lesson: RecentUsageAverages.Lesson, of model: String? = nil) {
        guard let usageReservation else { return }
        usageReservation.averages.record(model ?? usageReservation.model, by: caller?.identity, lesson)
    }

    /// Records the size of a response, of which the vendor reported the tokens.
    func learn(bytes: Int, of usage: Usage) {
        guard usageReservation?.output != nil, usage.completionTokens > 0, bytes > 0 else { return }
        var lesson = RecentUsageAverages.Lesson()
        lesson.bytesPerThousand = bytes * 1_000 / usage.completionTokens
        learn(lesson)
    }

    /// Returns the output tokens that are billed for a call that was left without a report of its usage, by the pace of
    /// the model's recent responses. All such calls of the request get at most the reserved output together.
    func outputTokens(ofCallLeftAfter milliseconds: Int) -> Int {
        guard let usageReservation else { return 0 }
        let rest = usageReservation.prompt.outputTokens - unreportedTokens
        let pace = usageReservation.averages.pace(of: usageReservation.model)
        let tokens = pace.tokens(after: milliseconds, atMost: rest)
        unreportedTokens += tokens
        return tokens
    }

    /// Forgets, before the next upstream call, whether the vendor refused a call for the same response.
    ///
    /// If it refused none, the calls that were cancelled before any output are billed.
    func clearRefusal() { bill.beginRound() }

    /// Records that a response without the requested format is requested again.
    func recordRetry() { bill.end(.rejected) }

    /// Records the failure of a candidate. Another candidate can still serve the request.
    package func record(_ error: UpstreamError) {
        bill.end(.lost)
        recordFailure(error)
    }

    /// Records the failure of a call in the log and the metrics. The request can still succeed.
    func recordFailure(_ error: UpstreamError) {
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

    /// Settles the reservation. The calls that have not ended are billed as abandoned.
    func settle() {
        while let open { open.recordDropped() }
        if !capacity.isEmpty { freeCapacity() }
        for part in parts { part.freeCapacity() }
        guard let reservation = reservation.take() else { return }
        guard usageReservation != nil else { return }
        reservation.settle(used: usedSoFar)
    }

    private var used: Amounts { usageReservation.map { bill.used(of: $0.reserved) } ?? Amounts() }

    /// The amounts that the calls before the present round have used.
    var usedBeforeRound = Amounts()

    /// The amounts that the ended calls of the request have used.
    var usedSoFar: Amounts { parts.reduce(used) { $0 + $1.used } }

    /// Whether budgets have lowered the bound of a panel's call.
    var hasLoweredPart: Bool { parts.contains { $0.lowered != nil } }

    /// The bound of the output of a choice that budgets have lowered, the lowest one of a panel's calls; nil if they
    /// lowered none.
    package var loweredBound: Int? { lowered?.bound ?? parts.lazy.compactMap { $0.lowered?.bound }.min() }

    /// Adds the units of a draw to the reservation. Returns false, and gives them back, if the request has ended.
    func add(_ draw: consuming Reservation) -> Bool {
        guard var own = reservation.take() else {
            draw.settle(used: Amounts())
            return false
        }
        own.add(draw)
        reservation = consume own
        return true
    }
}

/// The proof that all limits have counted a request. The end of the admission settles the reservation.
package struct Admission: ~Copyable {
    package let billing: Billing

    /// Creates the admission of a request from the reservation that admitted the request.
    package init(_ usageReservation: UsageReservation?, holding reservation: consuming Reservation) {
        precondition(reservation.decision.isAdmitted)
        billing = Billing(usageReservation)
        billing.reservation = reservation.isOpen ? consume reservation : nil
    }

    deinit { billing.settle() }
}
