import Engine
import Limits
package import Shared
import Synchronization

/// The state by which providers are chosen: their turns, circuit breakers and numbers of calls. All event loops share
/// one `Balance`.
package final class Balance: Sendable {
    /// The key under which turns are stored: a model, a priority and, if each caller has separate turns, the caller.
    struct TurnKey: Hashable {
        private let high: UInt64
        private let low: UInt64

        /// Makes the key of the round-robin turns that all callers share.
        init(model: String, priority: Int) { (high, low, _, _) = Digest(of: "\(priority) \(model)").words }

        private init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

        func of(_ caller: Identity) -> TurnKey {
            let (first, second, _, _) = caller.digest.words
            return TurnKey(high: high ^ first, low: low ^ second)
        }

        /// Returns the key of the turns that the candidates take without those at some indexes.
        /// - Parameter excluded: a bit set of indexes; 0 for none.
        func besides(_ excluded: UInt64) -> TurnKey {
            TurnKey(high: high ^ excluded &* 0x9e37_79b9_7f4a_7c15, low: low ^ excluded)
        }

        func hash(into hasher: inout Hasher) { hasher.combine(high) }
    }

    /// A reference to a `TurnState`, which is too large to be copied for each request.
    private final class Turns {
        var state = TurnState()
    }

    /// The key of a circuit breaker. Each model of each provider has its own circuit breaker.
    struct BreakerKey: Hashable {
        let provider: Int
        let model: String
    }

    let rules: BalanceSettings
    /// The time within which a response must begin, in nanoseconds.
    let deadlineNanoseconds: UInt64
    package let queue: CapacityQueue
    let sessionCalls = SessionCalls()
    private let turns = Lock(RecentTable<TurnKey, Turns>())
    private let breakers = Lock<[BreakerKey: Breaker]>([:])
    /// Whether some candidate has failed and has not served a call since.
    private let failed = Atomic<Bool>(false)

    private static let keptTurns = 10_000

    /// The statistics about the usage that providers report, by the provider's index in the settings.
    private let reports = Lock<[Int: UsageReports]>([:])

    /// The number of calls of each provider, by its index in the settings. Counted only for the load-balancing order
    /// `least-load`.
    private let chosen = Lock<[Int: Double]>([:])

    /// The providers' names in the order of the settings, and the log of the providers' state changes; nil if changes
    /// are not logged.
    private let notices: (providers: [String], all: ProviderNotices)?

    package init(
        _ rules: BalanceSettings,
        _ queue: CapacityQueue = CapacityQueue(),
        notices: (providers: [String], all: ProviderNotices)? = nil
    ) {
        self.rules = rules
        self.notices = notices
        deadlineNanoseconds = UInt64(clamping: rules.deadline.nanoseconds)
        self.queue = queue
    }

    /// Returns the statistics that show whether the provider reports usage. All event loops share them.
    func reports(ofProvider index: Int) -> UsageReports {
        reports.withLock { reports in
            if let known = reports[index] { return known }
            let new = UsageReports()
            reports[index] = new
            return new
        }
    }

    /// Returns the number of the provider's next turn: the calls for which it was chosen so far, plus one.
    func nextTurn(ofProvider index: Int) -> Double { chosen.withLock { $0[index, default: 0] } + 1 }

    func took(provider index: Int) {
        guard rules.order == .leastLoad else { return }
        chosen.withLock { $0[index, default: 0] += 1 }
    }

    /// Subtracts one from the provider's number of calls because the provider was not called.
    func undoSelection(ofProvider index: Int) {
        guard rules.order == .leastLoad else { return }
        chosen.withLock { $0[index, default: 0] -= 1 }
    }

    /// Chooses the provider with the next turn, among providers of the same priority.
    /// - Parameters:
    ///   - key: the key for the model and the priority, without a caller.
    ///   - caller: used if the settings give each caller separate turns.
    ///   - members: the providers to choose from, sorted by index; at least one.
    func turn(_ key: TurnKey, for caller: Identity?, of members: [TurnState.Member]) -> TurnState.Turn {
        let key = scoped(key, caller)
        return turns.withLock { turns in
            if let known = turns.use(key) { return known.state.next(of: members, by: rules.order) }
            let new = Turns()
            turns.set(key, new, atMost: Self.keptTurns)
            return new.state.next(of: members, by: rules.order)
        }
    }

    /// Undoes a turn because the chosen provider was not called.
    func giveBack(_ turn: TurnState.Turn, _ key: TurnKey, for caller: Identity?, of members: [TurnState.Member]) {
        let key = scoped(key, caller)
        turns.withLock { $0.use(key)?.state.giveBack(turn, of: members, by: rules.order) }
    }

    private func scoped(_ key: TurnKey, _ caller: Identity?) -> TurnKey {
        let isOfCaller = rules.scope != .global
        return if isOfCaller, let caller { key.of(caller) } else { key }
    }

    /// Resets all turns of the providers and their numbers of calls.
    package func forgetTurns() {
        turns.withLock { $0 = RecentTable() }
        chosen.withLock { $0 = [:] }
    }

    // MARK: Breakers

    var hasFailures: Bool { failed.load(ordering: .relaxed) }

    func isOpen(_ key: BreakerKey, at now: LoopTime) -> Bool {
        guard hasFailures else { return false }
        return breakers.withLock { $0[key]?.isOpen(at: now) ?? false }
    }

    /// Returns the time at which the circuit breaker lets requests call the candidate again; nil if they may call it
    /// now.
    func openEnd(_ key: BreakerKey, at now: LoopTime) -> LoopTime? { breakers.withLock { $0[key]?.openEnd(at: now) } }

    /// Closes the circuit breakers of all models of a provider.
    func closeBreakers(ofProvider index: Int) {
        let closed = breakers.withLock { breakers in
            let closed = breakers.keys.filter { $0.provider == index }
            for key in closed { breakers[key] = nil }
            failed.store(!breakers.isEmpty, ordering: .relaxed)
            return closed
        }
        for key in closed { reportClosed(key) }
        if let provider = provider(at: index) { notices?.all.ends(.unreachable(provider: provider), at: .current()) }
    }

    func openBreakers(at now: LoopTime) -> [BreakerKey] {
        guard hasFailures else { return [] }
        return breakers.withLock { $0.filter { $0.value.isTripped(at: now) }.map(\.key) }
    }

    private func provider(at index: Int) -> String? {
        notices.flatMap { $0.providers.indices.contains(index) ? $0.providers[index] : nil }
    }

    private func reportClosed(_ key: BreakerKey) {
        guard let provider = provider(at: key.provider) else { return }
        notices?.all.ends(.breakerOpen(provider: provider, model: key.model), at: .current())
    }

    private func report(_ key: BreakerKey, _ error: UpstreamError, isTripped: Bool, at now: LoopTime) {
        guard let notices, let provider = provider(at: key.provider) else { return }
        let cause = error.loggedCause(hiding: error.credential ?? .none)
        if error.fault.isOfConnecting {
            notices.all.begins(.unreachable(provider: provider), at: now, cause)
        } else if error.status != nil {
            notices.all.ends(.unreachable(provider: provider), at: now)
        }
        guard isTripped else { return }
        let end = openEnd(key, at: now)
        notices.all.begins(.breakerOpen(provider: provider, model: key.model), at: now, cause, until: end)
    }

    /// Returns the cause and the beginning of the trouble because of which the candidate's circuit breaker is open or
    /// half-open, or its provider cannot be reached; nil without such trouble.
    func trouble(_ key: BreakerKey) -> (cause: String, beganAt: LoopTime)? {
        // A call that began before a reload may have reported a trouble of which these breakers know nothing.
        guard breakers.withLock({ $0.keys.contains { $0.provider == key.provider } }),
            let notices, let provider = provider(at: key.provider)
        else { return nil }
        return notices.all.trouble(.breakerOpen(provider: provider, model: key.model))
            ?? notices.all.trouble(.unreachable(provider: provider))
    }

    /// Records that a call to the candidate begins. If the circuit breaker is half-open, this is the trial call.
    func begins(_ key: BreakerKey, at now: LoopTime) {
        guard hasFailures else { return }
        breakers.withLock { $0[key]?.tryOnce(at: now) }
    }

    func served(_ key: BreakerKey) {
        guard hasFailures else { return }
        let last = breakers.withLock { breakers in
            let last = breakers.removeValue(forKey: key)
            failed.store(!breakers.isEmpty, ordering: .relaxed)
            return last
        }
        if last != nil { reportClosed(key) }
        guard let notices, notices.all.hasUnreachable, let provider = provider(at: key.provider) else { return }
        notices.all.ends(.unreachable(provider: provider), at: .current())
    }

    func failed(_ key: BreakerKey, _ error: UpstreamError, at now: LoopTime) {
        let isTripped = breakers.withLock { breakers in
            var breaker = breakers[key] ?? Breaker()
            breaker.failed(at: now, bound: rules.failures, within: UInt64(clamping: rules.breakTime.nanoseconds))
            breakers[key] = breaker
            failed.store(true, ordering: .relaxed)
            return breaker.isTripped(at: now)
        }
        report(key, error, isTripped: isTripped, at: now)
    }

    /// Reports the outcome of a candidate's calls to its circuit breaker.
    /// - Parameter error: the candidate's last failure; nil if no failure should be counted.
    func conclude(_ key: BreakerKey, _ error: UpstreamError?, at now: LoopTime) {
        guard let error, !error.recovery.contains(.nextKey), !error.isOfPath, !isUnrelatedToCandidate(error) else {
            return endTrial(key)
        }
        if let seconds = error.modelCooldownSeconds {
            startCooldown(key, error, seconds: seconds, at: now)
        } else {
            failed(key, error, at: now)
        }
    }

    private func isUnrelatedToCandidate(_ error: UpstreamError) -> Bool {
        // A refusal of a caller's own key does not affect other callers.
        let isCallers = error.credential.map { $0.label == nil } ?? false
        return switch error.kind {
        case .unknownModel: isCallers || error.isOfModel
        case .badKey, .forbidden, .outOfCredit, .rateLimited: isCallers
        // The prompt is too long for its window.
        case .badRequest: true
        default: false
        }
    }

    /// Opens the candidate's circuit breaker for `seconds`, in which the provider's model cannot serve calls.
    func startCooldown(_ key: BreakerKey, _ error: UpstreamError, seconds: Int, at now: LoopTime) {
        breakers.withLock { breakers in
            breakers[key, default: Breaker()].rest(at: now, seconds: seconds)
            failed.store(true, ordering: .relaxed)
        }
        report(key, error, isTripped: true, at: now)
    }

    /// Ends the candidate's trial call without counting a success or a failure. Has no effect without a trial call.
    func endTrial(_ key: BreakerKey) {
        guard hasFailures else { return }
        breakers.withLock { $0[key]?.endTrial() }
    }
}

extension UpstreamError {
    /// Whether another provider might have served the failed call: the failure is not caused by the request.
    var isOfProvider: Bool { kind != .badRequest && self.recovery.contains(.nextCandidate) }
}

extension UpstreamFault {
    /// Whether the connection to the provider could not be made.
    fileprivate var isOfConnecting: Bool { self == .unreachable || self == .insecure || self == .connectTimeout }
}
