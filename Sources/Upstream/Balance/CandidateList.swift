import Calls
import Shared

/// Candidates by priority, then in the order of the settings, with figures that the choice needs. The list of a name is
/// made once and serves all calls.
///
/// `@unchecked`: used on its loop only.
final class CandidateList: @unchecked Sendable {
    /// The candidates, at least one.
    let all: [Candidate]
    /// Whether callers' own keys are forwarded to all candidates (true) or to none (false); nil if to some.
    let passOnKeys: Bool?
    /// The features that all models of the list have in common.
    let features: Model.Features
    /// Whether there is only one candidate, with one key, no capacity limit and no retries.
    let isSingle: Bool
    /// Whether some candidate has a capacity limit.
    let hasCapacityLimits: Bool
    /// Whether the settings exclude some calls from some candidate.
    let excludesSomeCalls: Bool
    /// The different prices of the candidates.
    let prices: [Price]
    /// The different credit prices of the candidates that charge credits.
    let creditPrices: [CreditPrices]
    /// The positions of all candidates.
    let positions: [Int]
    let priorities: [Int]
    /// Whether all candidates have the same priority.
    let areEqual: Bool
    /// All candidates as members of a turn.
    let members: [TurnState.Member]
    /// The key rings of the candidates that use the relay's keys.
    private let rings: [KeyRing]
    /// The different cooldown counts of the rings; usually one that all rings share.
    private let cooldownRingCounts: [CooldownRingCount]
    /// The key of the last turn, shared with the lists that have callers' keys.
    private let lastTurn: LastTurn
    /// The list with the key of the last caller; nil if no caller's key was used.
    private var ofCaller: (key: String, list: CandidateList)?

    /// - Parameters:
    ///   - all: the candidates, at least one.
    ///   - passOnKeys: whether callers' own keys are forwarded to all (true) or to none (false); nil if to some.
    init(_ all: [Candidate], passOnKeys: Bool? = nil) {
        precondition(!all.isEmpty)
        self.all = all
        self.passOnKeys = passOnKeys
        lastTurn = LastTurn()
        features = all.reduce(all[0].model.features) { $0.intersection($1.model.features) }
        let only = all[0]
        isSingle = all.count == 1 && only.hasOneKey && only.capacity == nil && only.rank.retries == 0
        hasCapacityLimits = all.contains { $0.capacity != nil }
        excludesSomeCalls = all.contains(where: \.isSpared)
        prices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.price, !prices.contains(price) { prices.append(price) }
        }
        creditPrices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.server.credits, !prices.contains(price) { prices.append(price) }
        }
        positions = Array(all.indices)
        priorities = all.map(\.rank.priority)
        areEqual = all.allSatisfy { $0.rank.priority == all[0].rank.priority }
        members = all.enumerated().map { TurnState.Member(position: $0, weight: $1.rank.weight) }
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
        positions = list.positions
        priorities = list.priorities
        areEqual = list.areEqual
        members = list.members
        rings = []
        cooldownRingCounts = []
    }

    /// Returns the list with a caller's own key, for a list whose candidates all get it. Remembers the last one, as the
    /// same caller often calls again.
    func withCallers(_ key: String) -> CandidateList {
        if let ofCaller, ofCaller.key == key { return ofCaller.list }
        let list = CandidateList(self, withCallers: Credential(passedOn: key))
        ofCaller = (key, list)
        return list
    }

    /// Whether no key of the candidates is in cooldown.
    var hasNoCooldowns: Bool { cooldownRingCounts.allSatisfy(\.isZero) || rings.allSatisfy { !$0.hasCooldowns } }

    /// The turn key for the last requested priority. It is an object of its own: a reference from a caller's list to
    /// the list that caches it would be a retain cycle.
    private final class LastTurn {
        var last: (priority: Int, key: Balance.TurnKey)?
    }

    /// Returns the key of the turns among the candidates of a priority.
    func turnKey(_ priority: Int) -> Balance.TurnKey {
        if let last = lastTurn.last, last.priority == priority { return last.key }
        let key = Balance.TurnKey(model: all[0].name, priority: priority)
        lastTurn.last = (priority, key)
        return key
    }

    /// Returns whether other candidates have the same priority.
    func hasPeers(_ position: Int) -> Bool {
        position > 0 && priorities[position - 1] == priorities[position]
            || position + 1 < priorities.count && priorities[position + 1] == priorities[position]
    }
}
