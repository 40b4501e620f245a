import Engine
import Limits
import Shared

/// The candidates that one request can still call. `chosen()` chooses the next one.
struct RemainingCandidates {
    let order: Candidates.Order
    let affinity: AffinityValue?
    /// The key for the call of a session; nil if the call belongs to no session or its key was not chosen.
    private(set) var sessionKey: ChosenSessionKey?
    private let list: CandidateList
    private let balance: Balance?
    private let caller: Identity?
    /// The indexes of the candidates that can still be chosen, in the order of their priorities.
    private var left: [Int]
    /// The indexes of the candidates that were set aside because they had no capacity.
    private(set) var full: [Int] = []
    /// The priority of the first healthy candidate that the order `balanced` chose; nil if there was none or the choice
    /// was undone.
    private var turned: Int?
    private var turnedLater: [Int] = []
    /// The way in which the current candidate was chosen, for undoing the choice. Nil if there is nothing to undo, or
    /// once the candidate is called.
    private var reason: Reason?
    /// The candidates that were removed because they cannot serve the request, as a bit set of indexes.
    /// The other candidates then take turns of their own, so that the turns of other requests stay as they are.
    private var excluded: UInt64 = 0

    init(
        _ list: CandidateList,
        _ balance: Balance?,
        order: Candidates.Order,
        caller: Identity?,
        affinity: AffinityValue?
    ) {
        self.order = order
        self.affinity = affinity
        self.list = list
        self.balance = balance
        self.caller = caller
        left = list.indices
    }

    /// Removes the candidates at these indexes, which must not get the request. They keep their turns.
    mutating func leaveOut(_ indices: Set<Int>) {
        for index in indices { excluded |= 1 << UInt64(index & 63) }
        left.removeAll(where: indices.contains)
    }

    /// Removes the candidates whose context window is not known to be larger than that of the candidate at this
    /// index, which refused the prompt as too long. Returns false, and removes none, if no candidate would be left.
    mutating func leaveLargerWindows(than index: Int) -> Bool {
        guard let window = list.all[index].model.contextWindow else { return false }
        let isLarger = { [list] (other: Int) in list.all[other].model.contextWindow ?? 0 > window }
        let larger = left.filter(isLarger)
        guard !larger.isEmpty else { return false }
        left = larger
        full.removeAll { !isLarger($0) }
        return true
    }

    /// Chooses the key for the call of a session among the keys of the first priority that has a usable key.
    ///
    /// Calls without a session do not need it.
    mutating func chooseSessionKey() {
        guard let affinity, affinity.isSession, let balance else { return }
        let now = list.all[0].loop.now
        let healthy = left.filter { isHealthy($0, at: now) }
        guard let first = healthy.first else { return }
        var keys: [(key: SessionCalls.Key, rank: KeyChoice.Rank)] = []
        for index in healthy where priority(index) == priority(first) {
            let (candidate, choice) = (list.all[index], choice(index))
            let only = candidate.fixed ?? .none
            let ranks =
                (candidate.fixed == nil ? candidate.keys?.ranks(at: now, choice) : nil)
                ?? [(only, choice.rank(only, 1, 0))]
            for (credential, rank) in ranks where rank.load < .infinity {
                let key = SessionCalls.Key(provider: choice.provider, label: credential.label)
                keys.append((key, rank.over(candidate.rank.weight)))
            }
        }
        let sorted = keys.filter { $0.rank.load < .infinity }.sorted { $0.rank < $1.rank }.map(\.key)
        if !sorted.isEmpty { sessionKey = balance.sessionCalls.chooseKey(affinity.hash, among: sorted) }
    }

    /// Sets a chosen candidate aside because it had no capacity.
    mutating func setAside(_ index: Int) { full.append(index) }

    /// Records that the chosen candidate is called, so that the choice cannot be undone.
    mutating func spendTurn() { reason = nil }

    /// Removes a candidate, and undoes its turn if the candidate was not called.
    mutating func giveUp(_ index: Int, isUnfit: Bool = false) {
        giveTurnBack(of: index)
        if isUnfit { excluded |= 1 << UInt64(index & 63) }
        left.removeAll { $0 == index }
    }

    var sortedFull: [Int] { full.sorted { (priority($0), $0) < (priority($1), $1) } }

    /// Lets a candidate that was set aside for lack of capacity be chosen again.
    mutating func putBack(_ index: Int) {
        full.removeAll { $0 == index }
        left.insert(
            index,
            at: left.firstIndex { (priority(index), index) < (priority($0), $0) } ?? left.endIndex
        )
    }

    /// Whether some candidate counts as full only because memcached, which counts its capacity, is unavailable.
    var lacksStore: Bool { full.contains { list.all[$0].capacity?.lacksStore ?? false } }

    var shortage: APIError { lacksStore ? .uncounted : .capacityReached }

    func choice(_ index: Int) -> KeyChoice {
        KeyChoice(
            capacity: list.all[index].capacity,
            affinity: affinity,
            provider: list.all[index].provider.name,
            preferred: sessionKey?.key
        )
    }

    /// Chooses the next candidate and returns its index; nil if no candidate is left.
    mutating func chosen() -> Int? {
        if list.hasCapacityLimits { setFullAside() }
        let areHealthy = list.hasNoCooldowns && !(balance?.hasFailures ?? false)
        if areHealthy, let index = turnOfAll() { return index }
        let now = list.all[0].loop.now
        let healthy = areHealthy ? left : left.filter { isHealthy($0, at: now) }
        guard let first = healthy.first ?? left.first else { return nil }
        guard let balance, !healthy.isEmpty else { return first }
        switch order {
        case .listed: return first
        case .byLoad: return best(of: healthy[...], balance)
        case .balanced: break
        }
        let priority = list.priorities[first]
        guard turned != priority, !turnedLater.contains(priority) else { return first }
        if turned == nil { turned = priority } else { turnedLater.append(priority) }
        guard list.hasPeers(first) else { return first }
        let group = list.areEqual ? healthy[...] : healthy.prefix { list.priorities[$0] == priority }
        if affinity != nil || balance.rules.order == .leastLoad { return best(of: group, balance) }
        return selected(among: group.map { list.members[$0] }, priority, balance)
    }

    /// Chooses a request's first candidate by round robin; nil if round robin alone cannot decide.
    private mutating func turnOfAll() -> Int? {
        guard turned == nil, left.count == list.indices.count, list.areEqual, order == .balanced, affinity == nil,
            let balance, balance.rules.order != .leastLoad
        else { return nil }
        let priority = list.priorities[0]
        turned = priority
        return list.members.count == 1 ? 0 : selected(among: list.members, priority, balance)
    }

    private enum Reason {
        case turn(TurnState.Turn, among: [TurnState.Member])
        case rank
    }

    private mutating func selected(among members: [TurnState.Member], _ priority: Int, _ balance: Balance) -> Int {
        let turn = balance.turn(list.turnKey(priority).besides(excluded), for: caller, of: members)
        reason = .turn(turn, among: members)
        return turn.candidateIndex
    }

    /// Undoes the turn of a candidate that was chosen but not called.
    private mutating func giveTurnBack(of index: Int) {
        guard let reason = reason.take(), let balance else { return }
        let priority = list.priorities[index]
        if turned == priority { turned = nil } else { turnedLater.removeAll { $0 == priority } }
        switch reason {
        case .turn(let turn, let members):
            balance.giveBack(turn, list.turnKey(priority).besides(excluded), for: caller, of: members)
        case .rank: balance.undoSelection(ofProvider: list.all[index].offeredBy)
        }
    }

    private mutating func setFullAside() {
        for index in left where list.all[index].isKnownFull {
            full.append(index)
            left.removeAll { $0 == index }
        }
    }

    /// Chooses the candidate with the lowest rank and returns its index. Affinity, load and earlier turns decide the
    /// rank.
    /// - Parameter indices: the indexes to choose from, at least one.
    private mutating func best(of indices: ArraySlice<Int>, _ balance: Balance) -> Int {
        let now = list.all[0].loop.now
        var best = indices[indices.startIndex]
        var least = rank(best, balance, at: now)
        for index in indices.dropFirst() {
            let rank = rank(index, balance, at: now)
            if rank < least { (best, least) = (index, rank) }
        }
        balance.took(provider: list.all[best].offeredBy)
        reason = .rank
        return best
    }

    private func rank(_ index: Int, _ balance: Balance, at now: LoopTime) -> KeyChoice.Rank {
        let candidate = list.all[index]
        let choice = affinity == nil ? KeyChoice(capacity: candidate.capacity) : choice(index)
        let rank =
            candidate.keys?.best(at: now, choice)
            ?? choice.rank(candidate.fixed ?? .none, 1, balance.nextTurn(ofProvider: candidate.offeredBy))
        return rank.over(candidate.rank.weight)
    }

    private func priority(_ index: Int) -> Int {
        switch order {
        case .balanced: list.priorities[index]
        case .listed: index
        case .byLoad: 0
        }
    }

    private func isHealthy(_ index: Int, at now: LoopTime) -> Bool {
        list.all[index].hasAvailableKey && !(balance?.isOpen(breakerKey(index), at: now) ?? false)
    }

    /// The candidates whose keys are all in cooldown, and the end of the cooldown that ends first; nil if the next
    /// candidate can be called now.
    /// - Parameter isAwaited: returns whether requests wait for a provider, given by its index in the settings.
    func resting(at now: LoopTime, _ isAwaited: (Int) -> Bool) -> (indices: [Int], end: LoopTime)? {
        if list.hasNoCooldowns || left.isEmpty { return nil }
        let healthy = left.first { isHealthy($0, at: now) }
        if let healthy, list.all[healthy].hasOwnWay || !isAwaited(list.all[healthy].offeredBy) { return nil }
        let indices = left.filter { $0 == healthy || list.all[$0].restEnd(at: now) != nil }
        let ends = indices.map { list.all[$0].restEnd(at: now) ?? now }
        return ends.min().map { (indices, $0) }
    }

    /// Lets all candidates that can serve the request be chosen again.
    mutating func reopen() {
        left = list.indices.filter { excluded & 1 << UInt64($0 & 63) == 0 }
        (full, turned, turnedLater, reason) = ([], nil, [], nil)
    }

    func breakerKey(_ index: Int) -> Balance.BreakerKey { list.all[index].breakerKey }

    /// Lets the candidates that had no capacity be chosen again.
    mutating func reopenFullCandidates() {
        guard !full.isEmpty else { return }
        left = (left + full).sorted { (priority($0), $0) < (priority($1), $1) }
        full = []
    }

    /// Whether a candidate besides the one at this index is left, be it with or without capacity.
    func hasOthers(than index: Int) -> Bool { !full.isEmpty || left.contains { $0 != index } }
}
