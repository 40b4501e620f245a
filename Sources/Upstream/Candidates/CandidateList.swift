import Engine
import Shared

/// A list of candidates, sorted by priority and then in the order of the settings.
final class CandidateList: OnLoop, @unchecked Sendable {
    /// The candidates, at least one.
    let all: [Candidate]
    /// Whether all candidates (true) or none (false) use passthrough keys; nil if only some do or it was not checked.
    let passOnKeys: Bool?
    let features: Model.Features
    /// Whether there is only one candidate, with one key, no capacity limit and no retries.
    let isSingle: Bool
    let hasCapacityLimits: Bool
    /// Whether the settings of some candidate's provider exclude chats with tools or images.
    let excludesSomeCalls: Bool
    /// The prices of the candidates, without duplicates.
    let prices: [Price]
    /// The credit prices of the candidates that charge credits, without duplicates.
    let creditPrices: [CreditPrices]
    let indices: [Int]
    let priorities: [Int]
    /// Whether all candidates have the same priority.
    let areEqual: Bool
    /// The indexes and weights of all candidates, by which they take turns.
    let members: [TurnState.Member]
    /// The key rings of the candidates that use the relay's keys.
    private let rings: [KeyRing]
    /// The counters of key rings that have a key in cooldown. Usually all rings share one counter, which is listed
    /// once.
    private let cooldownRingCounts: [CooldownRingCount]
    /// A cache of the last result of `turnKey(_:)`. Copies of this list for passthrough keys share the cache.
    private let lastTurn: LastTurn
    /// The latest copy of this list for a passthrough key, with that key; nil before the first copy.
    private var ofCaller: (key: String, list: CandidateList)?

    /// - Parameters:
    ///   - all: the candidates, at least one.
    ///   - passOnKeys: whether all candidates (true) or none (false) use passthrough keys; nil if mixed or not checked.
    init(_ all: [Candidate], passOnKeys: Bool? = nil) {
        precondition(!all.isEmpty)
        self.all = all
        self.passOnKeys = passOnKeys
        lastTurn = LastTurn()
        features = all.reduce(all[0].model.features) { $0.intersection($1.model.features) }
        let only = all[0]
        isSingle = all.count == 1 && only.hasOneKey && only.capacity == nil && only.rank.retries == 0
        hasCapacityLimits = all.contains { $0.capacity != nil }
        excludesSomeCalls = all.contains(where: \.excludesSomeCalls)
        prices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.price, !prices.contains(price) { prices.append(price) }
        }
        creditPrices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.server.credits, !prices.contains(price) { prices.append(price) }
        }
        indices = Array(all.indices)
        priorities = all.map(\.rank.priority)
        areEqual = all.allSatisfy { $0.rank.priority == all[0].rank.priority }
        members = all.enumerated().map { TurnState.Member(candidateIndex: $0, weight: $1.rank.weight) }
        rings = all.compactMap { $0.fixed == nil ? $0.keys : nil }
        cooldownRingCounts = rings.reduce(into: []) { counts, ring in
            if !counts.contains(where: { $0 === ring.cooldownRingCount }) { counts.append(ring.cooldownRingCount) }
        }
    }

    private init(_ list: CandidateList, withCallers credential: Credential) {
        all = list.all.map { $0.with(credential) }
        lastTurn = list.lastTurn
        passOnKeys = list.passOnKeys
        features = list.features
        isSingle = list.isSingle
        hasCapacityLimits = list.hasCapacityLimits
        excludesSomeCalls = list.excludesSomeCalls
        prices = list.prices
        creditPrices = list.creditPrices
        indices = list.indices
        priorities = list.priorities
        areEqual = list.areEqual
        members = list.members
        rings = []
        cooldownRingCounts = []
    }

    /// Returns a copy of the list whose candidates use this passthrough key. All candidates must accept passthrough
    /// keys.
    func withCallers(_ key: String) -> CandidateList {
        if let ofCaller, ofCaller.key == key { return ofCaller.list }
        let list = CandidateList(self, withCallers: Credential(passedOn: key))
        ofCaller = (key, list)
        return list
    }

    /// Whether no key of the candidates is in cooldown.
    var hasNoCooldowns: Bool { cooldownRingCounts.allSatisfy(\.isZero) || rings.allSatisfy { !$0.hasCooldowns } }

    /// A cache of the last priority and its key, under which `Balance` stores turns. Copies of a candidate list share
    /// it.
    private final class LastTurn {
        var last: (priority: Int, key: Balance.TurnKey)?
    }

    /// Returns the key under which `Balance` stores whose turn it is among the candidates of this priority.
    func turnKey(_ priority: Int) -> Balance.TurnKey {
        if let last = lastTurn.last, last.priority == priority { return last.key }
        let key = Balance.TurnKey(model: all[0].name, priority: priority)
        lastTurn.last = (priority, key)
        return key
    }

    /// Returns whether other candidates have the same priority as the candidate at this index.
    func hasPeers(_ index: Int) -> Bool {
        index > 0 && priorities[index - 1] == priorities[index]
            || index + 1 < priorities.count && priorities[index + 1] == priorities[index]
    }
}
