package import Engine
package import Limits
package import Shared

/// The tokens, dollars, credits and images that are reserved for a request before its actual usage is known.
package final class UsageReservation: Sendable {
    package struct Prompt: Sendable {
        /// The images in the prompt, on which some prices in credits depend.
        package var images = ChatCredits.Images.none
        /// The number of prompt tokens; nil if they were not counted.
        package var tokens: Int?

        package init(images: ChatCredits.Images = .none, tokens: Int? = nil) {
            self.images = images
            self.tokens = tokens
        }
    }

    /// The amounts that are reserved before the calls. Amounts that the request does not determine are estimated.
    package let reserved: Amounts
    /// The least amounts that the request is assumed to need. Averages of earlier responses do not raise them.
    package let minimum: Amounts
    package let model: String
    /// The credits that are billed for an upstream call if neither the vendor nor its price list states any.
    package let creditsPerCall: Int
    package let averages: RecentUsageAverages
    package let prompt: Prompt

    /// Creates the reservation of a request.
    ///
    /// - Parameter minimum: the amounts that the request is assumed to need at least; nil if they equal `reserved`.
    package init(
        reserving reserved: Amounts,
        atLeast minimum: Amounts? = nil,
        model: String,
        creditsPerCall: Int,
        averages: RecentUsageAverages,
        prompt: Prompt = Prompt()
    ) {
        // The type is a class, because copies of a struct would count a reference for each text and object.
        self.reserved = reserved
        self.minimum = minimum ?? reserved
        self.model = model
        self.creditsPerCall = creditsPerCall
        self.averages = averages
        self.prompt = prompt
    }
}

/// The upstream calls of one request and their usage. This usage settles the request's reservation.
///
/// Only an `Admission` creates the ledger of a request.
///
/// `@unchecked`: used on its request's loop only.
package final class CallLedger: ResponseDeadline, @unchecked Sendable {
    /// The amounts that are reserved for the request; nil if nothing is reserved.
    ///
    /// Nothing is reserved, for example, if the limits count only requests.
    private var usageReservation: UsageReservation?
    fileprivate var reservation: Reservation?
    /// The capacity held for calls to providers that have a concurrency or rate limit.
    private var capacity: [HeldCapacity] = []
    /// The number of attempts to serve the request. Each attempt uses one candidate and one key.
    package var attempts = 1
    /// The failures of candidates so far, in order.
    package private(set) var failures: [Failure] = []
    /// The provider and model of the last upstream call; nil before the first one.
    ///
    /// Helper calls, in which another model works for the request, do not count.
    package var server: Server?
    /// The usage of the upstream calls for the current response. If several calls share a prompt, its tokens count
    /// once.
    private var usage = Usage.nothing
    /// The usage of responses that lacked the requested format and were therefore requested again.
    package private(set) var unmet = Usage.nothing
    /// The usage of upstream calls whose output was not used, because the relay repeated the call or tried another
    /// candidate.
    private var lost = Usage.nothing
    private var credits = 0
    /// The images that vendors made or may have made. Only reserved images count in the limits.
    private var images = 0
    /// The cost of all calls; nil if no call has a known price.
    private var spent: Cost?
    /// Whether some tokens were used for which no price is known.
    private var hasUnpriced = false
    /// The providers and models of calls with an impossible number of tokens, one entry per call.
    private var impossible: [Server] = []
    /// The credits of upstream calls that were cancelled before any output came. They are billed later or not at all.
    private var creditsGivenUp = 0
    private var imagesGivenUp = 0
    private var promptGivenUp = 0
    private var spentGivenUp: Cost?
    private(set) var isRefused = false
    /// Whether the ledger keeps a record of each call.
    package var recordsCalls = false
    /// The ledgers of a panel's calls. Their usage is added to the usage of this ledger.
    private var parts: [CallLedger] = []
    /// The caller of the request; nil if it is not known.
    package var caller: Caller?
    /// The time at which the request began to wait for capacity; nil if the request is not waiting.
    private var capacityWaitStart: LoopTime?
    /// The total time that the request has waited for capacity, in nanoseconds.
    private var capacityWait: UInt64 = 0
    /// The record of the first call that ended.
    private var firstRecord: CallRecord?
    private var laterRecords: [CallRecord] = []
    /// The time after which the relay no longer repeats a failed call.
    package var repeatsEndAt = LoopTime.distantFuture
    /// The time by which the response to a chat must begin; `distantFuture` if there is no deadline.
    package var endsAt = LoopTime.distantFuture

    fileprivate init(_ usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Keeps the capacity of an upstream call. The capacity is released when the request ends, if not earlier.
    package func hold(_ held: HeldCapacity) { capacity.append(held) }

    /// Releases all capacity that this ledger holds. Call it when the calls of a candidate have ended.
    package func freeCapacity() {
        for held in capacity { held.end() }
        capacity = []
    }

    /// Whether this ledger or a ledger of a panel's call waits for a provider's capacity.
    package var isWaitingForCapacity: Bool { capacityWaitStart != nil || parts.contains(where: \.isWaitingForCapacity) }

    package func beginCapacityWait(at now: LoopTime) { capacityWaitStart = now }

    package func endCapacityWait(at now: LoopTime) {
        if let start = capacityWaitStart { capacityWait += now.nanoseconds(since: start) }
        capacityWaitStart = nil
    }

    /// The time that the request has waited for capacity, in nanoseconds.
    ///
    /// The calls of a panel have ledgers of their own. The longest wait in any of these ledgers counts.
    package var allCapacityWaits: UInt64 {
        parts.isEmpty ? capacityWait : parts.reduce(capacityWait) { max($0, $1.allCapacityWaits) }
    }

    /// The deadline for the response to a chat; nil if there is no deadline.
    package var deadline: (any ResponseDeadline)? { endsAt == .distantFuture ? nil : self }

    /// Creates and returns a ledger for one of several calls that this ledger bills together.
    package func part() -> CallLedger {
        let part = CallLedger(nil)
        part.caller = caller
        part.recordsCalls = recordsCalls
        parts.append(part)
        return part
    }

    /// Keeps the reservation of a panel's call, to which this ledger belongs. `end` settles the reservation.
    package func hold(_ units: consuming Reservation) { if units.isOpen { reservation = consume units } }

    /// Settles the ledger of one call of a panel after this call has ended.
    package func end() { settle() }

    /// The number of attempts to serve the request; for a panel, the sum over its calls.
    package var allAttempts: Int {
        parts.isEmpty ? attempts : parts.reduce(0) { $0 + ($1.provider == nil ? 0 : $1.attempts) }
    }

    /// The failures of candidates; for a panel, the failures in all its calls.
    package var allFailures: [Failure] { parts.isEmpty ? failures : parts.flatMap(\.failures) }

    /// The cost of all calls so far; nil if nothing was used or the cost is unknown.
    ///
    /// The cost of a panel is the sum of known costs.
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

    /// The record of the only ended call; nil if no call or several calls have ended.
    package var onlyRecord: CallRecord? { parts.isEmpty && laterRecords.isEmpty ? firstRecord : nil }

    /// The records of all ended calls, including a panel's calls, ordered by their ends.
    package var allRecords: [CallRecord] {
        let records = (firstRecord.map { [$0] } ?? []) + laterRecords
        if parts.isEmpty { return records }
        return (records + parts.flatMap(\.allRecords)).sorted { $0.endedAt < $1.endedAt }
    }

    func record(impossibleUsageOf server: Server) { impossible.append(server) }

    /// The providers and models of calls with an impossible number of tokens, including a panel's calls.
    ///
    /// Each such call adds one entry.
    package var impossibleUsage: [Server] {
        parts.isEmpty ? impossible : impossible + parts.flatMap(\.impossible)
    }

    func record(_ record: consuming CallRecord) {
        if firstRecord == nil { firstRecord = record } else { laterRecords.append(record) }
    }

    /// Sets the reservation by which calls are billed, once the candidate that serves the request is known.
    package func bill(by usageReservation: UsageReservation?) { self.usageReservation = usageReservation }

    /// Adds the cost of an upstream call to the cost of the request.
    ///
    /// - Parameter credits: the credits that the vendor reported; nil if it reported none.
    func spend(_ usage: Usage, credits: Int? = nil, at server: Server?) {
        guard let cost = cost(usage, credits: credits, at: server) else {
            if usage.totalTokens > 0 { hasUnpriced = true }
            return
        }
        spent = spent.map { $0 + cost } ?? cost
    }

    /// Returns the cost of an upstream call; nil if it is unknown.
    private func cost(_ usage: Usage, credits: Int? = nil, at server: Server?) -> Cost? {
        guard let server, let price = server.price else { return nil }
        return price.knownCost(usage, credits: billedCredits(usage, reported: credits, at: server))
    }

    /// Returns the credits from which the cost of an upstream call follows; nil if it does not follow from credits.
    func billedCredits(_ usage: Usage, reported: Int?, at server: Server) -> Int? {
        server.billedCredits(usage, reported: reported, usageReservation?.prompt.images ?? .none)
    }

    /// Bills a call that succeeded.
    ///
    /// - Parameters:
    ///   - images: the images that the vendor made; nil if it made all that are reserved.
    ///   - credits: the credits that the vendor reported; nil if it reported none.
    ///   - paid: returns the credits by the price list, or nil; used if `credits` is nil.
    func recordResponse(
        _ usage: Usage,
        images: Int? = nil,
        credits: Int?,
        or paid: (UsageReservation) -> Int?
    ) {
        guard let usageReservation else { return }
        add(usage, credits ?? paid(usageReservation), images: images, usageReservation)
        usageReservation.averages.record(
            usageReservation.model,
            by: caller?.identity,
            completionTokens: usage.completionTokens,
            credits: credits
        )
    }

    /// Bills an upstream call that failed. A call that the vendor refused is free.
    ///
    /// A call that was cancelled before any output is billed later. If the vendor refused another call for the same
    /// response, the cancelled call is free, too.
    ///
    /// - Parameter billed: `usage` with the tokens of all prompts in the client's request.
    func failed(_ error: UpstreamError, after usage: Usage, billed: Usage, at server: Server?) {
        if usage.completionTokens == 0, !error.mayBeBilled {
            isRefused = true
            // A refused call costs zero if its price is known.
            if server?.price != nil { spend(.nothing, at: server) }
        } else if usage.completionTokens == 0, error.kind == .cancelled {
            if let usageReservation {
                creditsGivenUp += server?.credits(usage, usageReservation) ?? usageReservation.creditsPerCall
                imagesGivenUp = usageReservation.reserved.images
            }
            promptGivenUp = billed.promptTokens
            if let cost = cost(usage, at: server) { spentGivenUp = spentGivenUp.map { $0 + cost } ?? cost }
        } else {
            spend(usage, at: server)
            if let usageReservation {
                add(billed, server?.credits(usage, usageReservation), images: nil, usageReservation)
            }
        }
    }

    /// Forgets, before the next upstream call, whether the vendor refused a call for the same response.
    ///
    /// If it refused none, the calls that were cancelled before any output are billed first.
    package func clearRefusal() {
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += creditsGivenUp
            images += imagesGivenUp
            spent = known
        }
        (isRefused, promptGivenUp, creditsGivenUp, imagesGivenUp, spentGivenUp) = (false, 0, 0, 0, nil)
    }

    /// Records that a response without the requested format is requested again. The usage `used` is billed.
    package func recordRetry(after used: Usage) {
        unmet = unmet + used
        let others = usage.completionTokens - used.completionTokens
        usage = Usage(promptTokens: 0, completionTokens: max(0, others))
    }

    /// Bills an upstream call that produced nothing useful and that the relay repeats.
    func lost(_ used: Usage, at server: Server?) {
        spend(used, at: server)
        lost = lost + used
        if let usageReservation { credits += server?.credits(used, usageReservation) ?? 0 }
    }

    /// Bills a helper call, in which another model did work for the request.
    ///
    /// - Parameter credits: the credits that the vendor reported; nil if it reported none.
    package func helped(by model: String, credits: Int?) {
        guard let usageReservation else { return }
        self.credits += credits ?? usageReservation.averages.expected(of: model, for: caller?.identity).credits
        usageReservation.averages.record(model, by: caller?.identity, completionTokens: 0, credits: credits)
    }

    /// Records the failure of a candidate. Another candidate can still serve the request.
    package func record(_ error: UpstreamError) {
        if usage.completionTokens > 0 || unmet.totalTokens > 0 {
            lost = lost + usage + unmet
            (usage, unmet) = (.nothing, .nothing)
        }
        recordFailure(error)
    }

    /// Records the failure of a call in the log and the metrics. The request can still succeed.
    package func recordFailure(_ error: UpstreamError) {
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

    private func add(_ usage: Usage, _ credits: Int?, images: Int?, _ usageReservation: UsageReservation) {
        self.usage.promptTokens = max(self.usage.promptTokens, usage.promptTokens)
        self.usage.completionTokens += usage.completionTokens
        self.credits += credits ?? usageReservation.creditsPerCall
        self.images += images ?? usageReservation.reserved.images
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
        var (usage, images, credits) = (usage, images, credits)
        if !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            images += imagesGivenUp
            credits += creditsGivenUp
        }
        let tokens = usage.totalTokens + unmet.totalTokens + lost.totalTokens
        images = min(images, usageReservation.reserved.images)
        return Amounts(tokens: tokens, images: images, usd: known?.usdParts ?? 0, credits: credits)
    }
}

/// The proof that all limits have counted a request. The end of the admission settles the reservation.
package struct Admission: ~Copyable {
    package let callLedger: CallLedger

    /// Creates the admission of a request from the reservation that admitted the request.
    package init(_ usageReservation: UsageReservation?, holding reservation: consuming Reservation) {
        precondition(reservation.decision.isAdmitted)
        callLedger = CallLedger(usageReservation)
        callLedger.reservation = reservation.isOpen ? consume reservation : nil
    }

    private init() { callLedger = CallLedger(nil) }

    /// Creates an admission for an upload that starts before the limits admit the client's request.
    ///
    /// The vendor receives the end of the upload only after `complete`.
    package static func pending() -> Admission { Admission() }

    package func complete(_ usageReservation: UsageReservation?, holding reservation: consuming Reservation) {
        precondition(reservation.decision.isAdmitted)
        callLedger.bill(by: usageReservation)
        callLedger.reservation = reservation.isOpen ? consume reservation : nil
    }

    deinit { callLedger.settle() }
}
