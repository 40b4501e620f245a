import Engine
import Limits
package import Shared
import Synchronization

/// The state of the choice between providers: turns and breakers. All loops of the process share it.
package final class Balance: Sendable {
    /// The turns of one caller with one model, among providers of one priority: 128 bits of both digests.
    struct TurnKey: Hashable {
        private let high: UInt64
        private let low: UInt64

        /// Of all callers together.
        ///
        /// - Parameter model: as the settings have it.
        init(model: String, priority: Int) {
            (high, low, _, _) = Digest(of: "\(priority) \(model)").words
        }

        private init(_ key: TurnKey, of caller: Identity) {
            let (first, second, _, _) = caller.digest.words
            high = key.high ^ first
            low = key.low ^ second
        }

        func of(_ caller: Identity) -> TurnKey { TurnKey(self, of: caller) }

        func hash(into hasher: inout Hasher) { hasher.combine(high) }
    }

    /// A state in its place: it is too large to be copied for each turn.
    private final class Turns {
        var state = TurnState()
    }

    /// A provider's model.
    struct BreakerKey: Hashable {
        let provider: Int
        let model: String
    }

    let rules: BalanceSettings
    /// The time in which an answer is to begin.
    let deadlineNanoseconds: UInt64
    package let queue: CapacityQueue
    private let turns = Lock(RecentTable<TurnKey, Turns>())
    private let breakers = Lock<[BreakerKey: Breaker]>([:])
    /// Some candidate failed and was not served since.
    private let failed = Atomic<Bool>(false)

    private static let keptTurns = 10_000

    /// By provider: whether its answers bring their usage.
    private let reports = Lock<[Int: UsageReports]>([:])

    /// By provider, of `least-load`: the calls that it was chosen for.
    private let chosen = Lock<[Int: Double]>([:])

    package init(_ rules: BalanceSettings, _ queue: CapacityQueue = CapacityQueue()) {
        self.rules = rules
        deadlineNanoseconds = UInt64(clamping: rules.deadline.nanoseconds)
        self.queue = queue
    }

    /// Returns the provider's record of answers that bring their usage, which all loops share.
    func reports(ofProvider place: Int) -> UsageReports {
        reports.withLock { reports in
            if let known = reports[place] { return known }
            let new = UsageReports()
            reports[place] = new
            return new
        }
    }

    /// The share of all calls that a provider without keys of its own would have after one more.
    func nextTurn(ofProvider place: Int) -> Double { chosen.withLock { $0[place, default: 0] } + 1 }

    func took(provider place: Int) {
        guard rules.order == .leastLoad else { return }
        chosen.withLock { $0[place, default: 0] += 1 }
    }

    /// It was not asked.
    func tookNot(provider place: Int) {
        guard rules.order == .leastLoad else { return }
        chosen.withLock { $0[place, default: 0] -= 1 }
    }

    /// Takes a turn.
    ///
    /// - Parameters:
    ///   - key: of all callers together.
    ///   - members: by place; at least one.
    func turn(_ key: TurnKey, for caller: Identity?, of members: [TurnState.Member]) -> TurnState.Turn {
        let key = scoped(key, caller)
        return turns.withLock { turns in
            if let known = turns.use(key) { return known.state.next(of: members, by: rules.order) }
            let new = Turns()
            turns.set(key, new, atMost: Self.keptTurns)
            return new.state.next(of: members, by: rules.order)
        }
    }

    /// The one that had the turn was not asked.
    ///
    /// - Parameter members: those that it was taken among.
    func giveBack(_ turn: TurnState.Turn, _ key: TurnKey, for caller: Identity?, of members: [TurnState.Member]) {
        let key = scoped(key, caller)
        turns.withLock { $0.use(key)?.state.giveBack(turn, of: members, by: rules.order) }
    }

    private func scoped(_ key: TurnKey, _ caller: Identity?) -> TurnKey {
        let isOfCaller = rules.scope != .global
        return if isOfCaller, let caller { key.of(caller) } else { key }
    }

    /// A reload begins them anew.
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

    /// The time at which a request may try the candidate again; nil if its breaker is closed.
    func openEnd(_ key: BreakerKey, at now: LoopTime) -> LoopTime? {
        breakers.withLock { $0[key]?.openEnd(at: now) }
    }

    /// Closes the breakers of all models of a provider.
    func closeBreakers(ofProvider place: Int) {
        breakers.withLock { breakers in
            breakers = breakers.filter { $0.key.provider != place }
            failed.store(!breakers.isEmpty, ordering: .relaxed)
        }
    }

    /// The candidate is asked.
    func begins(_ key: BreakerKey, at now: LoopTime) {
        guard hasFailures else { return }
        breakers.withLock { $0[key]?.tryOnce(at: now) }
    }

    func served(_ key: BreakerKey) {
        guard hasFailures else { return }
        breakers.withLock { breakers in
            breakers[key] = nil
            failed.store(!breakers.isEmpty, ordering: .relaxed)
        }
    }

    func failed(_ key: BreakerKey, at now: LoopTime) {
        breakers.withLock { breakers in
            breakers[key, default: Breaker()].failed(
                at: now,
                bound: rules.failures,
                within: UInt64(clamping: rules.breakTime.nanoseconds)
            )
            failed.store(true, ordering: .relaxed)
        }
    }

    /// It can serve nothing for some time.
    func rests(_ key: BreakerKey, seconds: Int, at now: LoopTime) {
        breakers.withLock { breakers in
            breakers[key, default: Breaker()].rest(at: now, seconds: seconds)
            failed.store(true, ordering: .relaxed)
        }
    }

    /// The call ended without an outcome.
    func gaveUp(_ key: BreakerKey) {
        guard hasFailures else { return }
        breakers.withLock { $0[key]?.endTrial() }
    }
}
