import Calls
import Shared

/// Candidates by priority, then in the order of the settings, and the numbers that the choice among them looks at. Those
/// of a name are made once and serve all calls, so a call does not pay for their number.
///
/// `@unchecked`: used on its loop only.
final class CandidateList: @unchecked Sendable {
    /// At least one.
    let all: [Candidate]
    /// Callers' own keys are passed on to all of them, or to none; nil: to some.
    let passOnKeys: Bool?
    /// Each serves calls that need one of these.
    let features: Model.Features
    /// There is one, with one key, without a bound, and asked once.
    let isSingle: Bool
    /// Some have a bound.
    let areBounded: Bool
    /// Settings keep some calls from some of them.
    let areSpared: Bool
    /// Each once.
    let prices: [Price]
    /// The same of those that take credits.
    let creditPrices: [CreditPrices]
    /// The places of all.
    let places: [Int]
    let priorities: [Int]
    /// All have the same priority.
    let areEqual: Bool
    /// All of them, for a turn.
    let members: [TurnState.Member]
    /// Of those with several keys or one.
    private let rings: [KeyRing]
    /// Of the rings; most often one for all.
    private let restCounts: [RestCount]
    /// One for the list and for those with callers' keys.
    private let lastTurn: LastTurn
    /// Of the caller who asked last, and the list with their key.
    private var ofCaller: (key: String, list: CandidateList)?

    /// - Parameters:
    ///   - all: at least one.
    ///   - passOnKeys: callers' own keys are passed on to all of them, or to none; nil: to some.
    init(_ all: [Candidate], passOnKeys: Bool? = nil) {
        precondition(!all.isEmpty)
        self.all = all
        self.passOnKeys = passOnKeys
        lastTurn = LastTurn()
        features = all.reduce(all[0].model.features) { $0.intersection($1.model.features) }
        let only = all[0]
        isSingle = all.count == 1 && only.hasOneKey && only.capacity == nil && only.rank.retries == 0
        areBounded = all.contains { $0.capacity != nil }
        areSpared = all.contains(where: \.isSpared)
        prices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.price, !prices.contains(price) { prices.append(price) }
        }
        creditPrices = all.reduce(into: []) { prices, candidate in
            if let price = candidate.server.credits, !prices.contains(price) { prices.append(price) }
        }
        places = Array(all.indices)
        priorities = all.map(\.rank.priority)
        areEqual = all.allSatisfy { $0.rank.priority == all[0].rank.priority }
        members = all.enumerated().map { TurnState.Member(place: $0, weight: $1.rank.weight) }
        rings = all.compactMap { $0.fixed == nil ? $0.keys : nil }
        restCounts = rings.reduce(into: []) { counts, ring in
            if !counts.contains(where: { $0 === ring.restCount }) { counts.append(ring.restCount) }
        }
    }

    private init(_ list: CandidateList, withCallers credential: Credential) {
        all = list.all.map { $0.with(credential) }
        lastTurn = list.lastTurn
        passOnKeys = list.passOnKeys
        features = list.features
        isSingle = list.isSingle
        areBounded = list.areBounded
        areSpared = list.areSpared
        prices = list.prices
        creditPrices = list.creditPrices
        places = list.places
        priorities = list.priorities
        areEqual = list.areEqual
        members = list.members
        rings = []
        restCounts = []
    }

    /// The same with a caller's own key, of a list in which it is passed on to all. Most often the last caller asks again.
    func withCallers(_ key: String) -> CandidateList {
        if let ofCaller, ofCaller.key == key { return ofCaller.list }
        let list = CandidateList(self, withCallers: Credential(passedOn: key))
        ofCaller = (key, list)
        return list
    }

    /// No key rests.
    var haveNoRests: Bool { restCounts.allSatisfy(\.isZero) || rings.allSatisfy { !$0.hasRests } }

    /// Of the priority that was asked for last. An object of its own: a list that is kept for its caller would keep the list that
    /// keeps it.
    private final class LastTurn {
        var last: (priority: Int, key: Balance.TurnKey)?
    }

    /// Of the turns among those of a priority.
    func turnKey(_ priority: Int) -> Balance.TurnKey {
        if let last = lastTurn.last, last.priority == priority { return last.key }
        let key = Balance.TurnKey(model: all[0].name, priority: priority)
        lastTurn.last = (priority, key)
        return key
    }

    /// Others have the same priority.
    func hasPeers(_ place: Int) -> Bool {
        place > 0 && priorities[place - 1] == priorities[place]
            || place + 1 < priorities.count && priorities[place + 1] == priorities[place]
    }
}
