import Calls
import Engine
import Limits
import Shared

/// The candidates that one request may still call, and the choice among them.
struct OpenCandidates {
    let order: Candidates.Order
    let affinity: UInt64?
    private let list: CandidateList
    private let balance: Balance?
    private let caller: Identity?
    /// The positions of candidates that may still be chosen, in the order of their priorities.
    private var left: [Int]
    /// The positions of candidates that had no capacity.
    private(set) var full: [Int] = []
    /// The priority in which a turn was taken first; nil if none was. `turnedLater` contains the other priorities.
    private var turned: Int?
    private var turnedLater: [Int] = []
    /// The turn or rank by which the current candidate was chosen, for giving it back; nil once the candidate is called.
    private var reason: Reason?

    init(
        _ list: CandidateList,
        _ balance: Balance?,
        _ order: Candidates.Order,
        _ caller: Identity?,
        _ affinity: UInt64?
    ) {
        self.order = order
        self.affinity = affinity
        self.list = list
        self.balance = balance
        self.caller = caller
        left = list.places
    }

    mutating func leaveOut(_ places: Set<Int>) { left.removeAll(where: places.contains) }

    /// Sets a chosen candidate aside because it had no capacity.
    mutating func setAside(_ place: Int) { full.append(place) }

    /// Marks the turn of the chosen candidate as used, because the candidate is called.
    mutating func spendTurn() { reason = nil }

    /// Removes a candidate from the choice. If it was not called, its turn is given back.
    mutating func giveUp(_ place: Int) {
        giveTurnBack(of: place)
        left.removeAll { $0 == place }
    }

    var sortedFull: [Int] { full.sorted { (priority($0), $0) < (priority($1), $1) } }

    /// Moves a candidate from `full` back into the choice, since it has capacity now.
    mutating func takeBack(_ place: Int) {
        full.removeAll { $0 == place }
        left.insert(place, at: left.firstIndex { (priority(place), place) < (priority($0), $0) } ?? left.endIndex)
    }

    /// Whether a candidate counts as full only because its capacity could not be read from the store.
    var lacksStore: Bool { full.contains { list.all[$0].capacity?.lacksStore ?? false } }

    var shortage: APIError { lacksStore ? .uncounted : .capacityReached }

    func choice(_ place: Int) -> KeyChoice {
        KeyChoice(
            capacity: list.all[place].capacity,
            affinity: affinity,
            provider: list.all[place].provider.name
        )
    }

    /// Chooses a healthy candidate of the lowest priority that has one: the first time by turn or rank, then in order.
    /// Without a healthy candidate the first one is chosen. Returns its position; nil if none is left.
    mutating func chosen() -> Int? {
        if list.areBounded { setFullAside() }
        let areSound = list.haveNoRests && !(balance?.hasFailures ?? false)
        if areSound, let place = turnOfAll() { return place }
        let now = list.all[0].loop.now
        let sound = areSound ? left : left.filter { isSound($0, at: now) }
        guard let first = sound.first ?? left.first else { return nil }
        guard let balance, !sound.isEmpty else { return first }
        switch order {
        case .listed: return first
        case .byLoad: return best(of: sound[...], balance)
        case .balanced: break
        }
        let priority = list.priorities[first]
        guard turned != priority, !turnedLater.contains(priority) else { return first }
        if turned == nil { turned = priority } else { turnedLater.append(priority) }
        guard list.hasPeers(first) else { return first }
        let group = list.areEqual ? sound[...] : sound.prefix { list.priorities[$0] == priority }
        if affinity != nil || balance.rules.order == .leastLoad { return best(of: group, balance) }
        return taken(among: group.map { list.members[$0] }, priority, balance)
    }

    /// Takes the first turn among all candidates, in the simple case; nil if the general way is needed.
    private mutating func turnOfAll() -> Int? {
        guard turned == nil, left.count == list.places.count, list.areEqual, order == .balanced, affinity == nil,
            let balance, balance.rules.order != .leastLoad
        else { return nil }
        let priority = list.priorities[0]
        turned = priority
        return list.members.count == 1 ? 0 : taken(among: list.members, priority, balance)
    }

    private enum Reason {
        case turn(TurnState.Turn, among: [TurnState.Member])
        case rank
    }

    private mutating func taken(among members: [TurnState.Member], _ priority: Int, _ balance: Balance) -> Int {
        let turn = balance.turn(list.turnKey(priority), for: caller, of: members)
        reason = .turn(turn, among: members)
        return turn.place
    }

    /// Gives the turn of a candidate back that was chosen and not called.
    private mutating func giveTurnBack(of place: Int) {
        guard let reason = reason.take(), let balance else { return }
        let priority = list.priorities[place]
        if turned == priority { turned = nil } else { turnedLater.removeAll { $0 == priority } }
        switch reason {
        case .turn(let turn, let members):
            balance.giveBack(turn, list.turnKey(priority), for: caller, of: members)
        case .rank: balance.tookNot(provider: list.all[place].offeredBy)
        }
    }

    private mutating func setFullAside() {
        for place in left where list.all[place].isKnownFull() {
            full.append(place)
            left.removeAll { $0 == place }
        }
    }

    /// Returns the position of the candidate with the lowest rank, by load or affinity.
    ///
    /// - Parameter places: the positions to choose from, at least one.
    private mutating func best(of places: ArraySlice<Int>, _ balance: Balance) -> Int {
        let now = list.all[0].loop.now
        var best = places[places.startIndex]
        var least = rank(best, balance, at: now)
        for place in places.dropFirst() {
            let rank = rank(place, balance, at: now)
            if rank < least { (best, least) = (place, rank) }
        }
        balance.took(provider: list.all[best].offeredBy)
        reason = .rank
        return best
    }

    private func rank(_ place: Int, _ balance: Balance, at now: LoopTime) -> KeyChoice.Rank {
        let candidate = list.all[place]
        let choice = affinity == nil ? KeyChoice(capacity: candidate.capacity) : choice(place)
        let rank =
            candidate.keys?.best(at: now, choice)
            ?? choice.rank(candidate.fixed ?? .none, 1, balance.nextTurn(ofProvider: candidate.offeredBy))
        return rank.over(candidate.rank.weight)
    }

    private func priority(_ place: Int) -> Int {
        switch order {
        case .balanced: list.priorities[place]
        case .listed: place
        case .byLoad: 0
        }
    }

    private func isSound(_ place: Int, at now: LoopTime) -> Bool {
        list.all[place].hasSoundKey && !(balance?.isOpen(breakerKey(place), at: now) ?? false)
    }

    func breakerKey(_ place: Int) -> Balance.BreakerKey { list.all[place].breakerKey }

    /// Returns whether other candidates are left. Makes full ones available again, as they may have capacity now or the
    /// call may wait for them.
    mutating func othersAreLeft() -> Bool {
        if !full.isEmpty {
            left = (left + full).sorted { (priority($0), $0) < (priority($1), $1) }
            full = []
        }
        return !left.isEmpty
    }
}
