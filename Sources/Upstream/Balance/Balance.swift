import Engine
import Limits
package import Shared
import Synchronization

/// The state of the choice between providers: turns and breakers. All loops of the process share it.
package final class Balance: Sendable {
    /// The turns of one caller with one model, among providers of one priority.
    struct TurnKey: Hashable {
        let caller: Identity?
        /// As the settings have it.
        let model: String
        let priority: Int
    }

    /// A provider's model.
    struct BreakerKey: Hashable {
        let provider: Int
        let model: String
    }

    let rules: BalanceSettings
    package let queue: CapacityQueue
    private let turns = Lock(RecentTable<TurnKey, TurnState>())
    private let breakers = Lock<[BreakerKey: Breaker]>([:])
    /// Some candidate failed and was not served since.
    private let hasFailures = Atomic<Bool>(false)

    private static let keptTurns = 10_000

    /// By provider, of `least-load`: the calls that it was chosen for.
    private let chosen = Lock<[Int: Double]>([:])

    package init(_ rules: BalanceSettings, _ queue: CapacityQueue = CapacityQueue()) {
        self.rules = rules
        self.queue = queue
    }

    /// The share of all calls that a provider without keys of its own would have after one more.
    func nextTurn(ofProvider place: Int) -> Double { chosen.withLock { $0[place, default: 0] } + 1 }

    func took(provider place: Int) {
        guard rules.order == .leastLoad else { return }
        chosen.withLock { $0[place, default: 0] += 1 }
    }

    /// Takes a turn.
    ///
    /// - Parameter members: by place; at least one.
    func turn(_ key: TurnKey, of members: [TurnState.Member]) -> Int {
        let key = rules.scope == .global ? TurnKey(caller: nil, model: key.model, priority: key.priority) : key
        return turns.withLock { turns in
            var state = turns.use(key) ?? TurnState()
            let place = state.next(of: members, by: rules.order)
            turns.set(key, state, atMost: Self.keptTurns)
            return place
        }
    }

    // MARK: Breakers

    func isOpen(_ key: BreakerKey, at now: UInt64) -> Bool {
        guard hasFailures.load(ordering: .relaxed) else { return false }
        return breakers.withLock { $0[key]?.isOpen(at: now) ?? false }
    }

    /// The candidate is asked.
    func begins(_ key: BreakerKey, at now: UInt64) {
        guard hasFailures.load(ordering: .relaxed) else { return }
        breakers.withLock { $0[key]?.tryOnce(at: now) }
    }

    func served(_ key: BreakerKey) {
        guard hasFailures.load(ordering: .relaxed) else { return }
        breakers.withLock { breakers in
            breakers[key] = nil
            hasFailures.store(!breakers.isEmpty, ordering: .relaxed)
        }
    }

    func failed(_ key: BreakerKey, at now: UInt64) {
        breakers.withLock { breakers in
            breakers[key, default: Breaker()].failed(
                at: now,
                bound: rules.failures,
                within: UInt64(clamping: rules.breakTime.nanoseconds)
            )
            hasFailures.store(true, ordering: .relaxed)
        }
    }

    /// The call ended without an outcome.
    func gaveUp(_ key: BreakerKey) {
        guard hasFailures.load(ordering: .relaxed) else { return }
        breakers.withLock { $0[key]?.endTrial() }
    }
}
