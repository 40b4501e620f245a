/// What this instance knows of one record, and what it is doing with it.
///
/// `@unchecked`: reached with the ledger's lock held only.
final class Account: @unchecked Sendable {
    enum State {
        case idle
        case queued
        case busy
    }

    /// What a write may rely on.
    enum Fresh: Sendable {
        case nothing
        /// The store has no such record.
        case absent
        case version(StoredValue.Version)
    }

    let key: RecordKey
    let limit: Limit
    let storeKey: String
    let server: Int
    let lane: Int

    /// As last seen in the store; without a store, the record itself.
    var record: Record
    /// It was read at least once.
    var isKnown = false
    /// What was seen before the record in the store was lost, and has not been written to it since.
    var unmerged: Record?
    /// Admitted without the store, or known late, and to be added to the record.
    var owed: Record?
    /// Units to be taken out of their buckets.
    var returns: [(bucket: Int, units: Int)] = []
    /// Parts of undecided requests that are not counted yet, in the order they came.
    var waiting: [Part] = []
    var fresh = Fresh.nothing
    /// The write under way.
    var writing: WritePlan?
    var state = State.idle
    /// Races lost in a row.
    var losses = 0
    var notBefore = 0
    /// Until then (steady) decided without the store.
    var ruleUntil = 0
    /// Until then (wall) a copy without room is answer enough.
    var refusedUntil = 0

    init(_ key: RecordKey, _ limit: Limit, storeKey: String, server: Int, lane: Int, at time: Int) {
        self.key = key
        self.limit = limit
        self.storeKey = storeKey
        self.server = server
        self.lane = lane
        record = Record(limit.grid, at: time)
    }

    var bytes: Int { 400 + 8 * limit.grid.kept }

    /// After the clock was set back by more than a window, what was counted before says nothing.
    func dropIfAhead(of time: Int) {
        guard record.isTooFarAhead(of: time), state == .idle, case .nothing = fresh else { return }
        record = Record(limit.grid, at: time, birth: record.birth)
        unmerged = nil
        owed = nil
        refusedUntil = 0
    }

    /// The record with what it does not know yet.
    func view(at time: Int) -> Record {
        record.roll(to: time)
        guard owed != nil || writing?.owed != nil else { return record }
        var view = record
        if let owed { view.add(owed) }
        if let owed = writing?.owed { view.add(owed) }
        view.roll(to: time)
        return view
    }

    func hasRoom(for units: Int, at time: Int) -> Bool { view(at: time).hasRoom(for: units, of: limit.quota.count) }

    /// Counts in memory what is admitted without the store.
    func owe(_ units: Int, at time: Int) {
        var record = owed ?? Record(limit.grid, at: time)
        record.roll(to: time)
        record.charge(units)
        owed = record
    }

    func owe(_ other: Record?) {
        guard let other else { return }
        if owed == nil { owed = other } else { owed?.add(other) }
    }

    /// Nothing that only this instance knows of would matter any more.
    func isSpent(at time: Int) -> Bool {
        state == .idle && waiting.isEmpty && owed == nil && returns.isEmpty
            && limit.grid.start(of: record.newest + limit.grid.kept) <= time
    }

    /// A request needs the record as it is now.
    var needsRead: Bool {
        if case .nothing = fresh { return true }
        return waiting.contains(where: \.isUnread)
    }

    var hasWork: Bool {
        owed != nil || !returns.isEmpty || waiting.contains { $0.isUnread || $0.isNext }
    }
}

/// One limit's part of a request.
struct Part {
    let request: Pending
    let index: Int
    /// In a write: the bucket it takes the units out of, because they were too late in it.
    var from: Int?

    var isUnread: Bool { request.decision == nil && request.parts[index].state == .unread }

    /// To be counted now.
    var isNext: Bool { request.decision == nil && request.unread == 0 && request.firstOpen == index }
}

/// A compare-and-swap, or an addition where `fresh` says that there is nothing.
///
/// `@unchecked`: what changes is reached with the ledger's lock held only.
final class WritePlan: @unchecked Sendable {
    let key: String
    let expirySeconds: Int
    let record: Record
    let fresh: Account.Fresh
    let epoch: Int
    /// Parts counted by this write.
    let takers: [Part]
    /// Parts that found no room beside them.
    let refused: [Part]
    let owed: Record?
    let returns: [(bucket: Int, units: Int)]

    init(
        _ account: Account,
        record: Record,
        fresh: Account.Fresh,
        epoch: Int,
        takers: [Part],
        refused: [Part],
        owed: Record?,
        returns: [(bucket: Int, units: Int)]
    ) {
        key = account.storeKey
        expirySeconds = max(10, 2 * account.limit.quota.windowSeconds)
        self.record = record
        self.fresh = fresh
        self.epoch = epoch
        self.takers = takers
        self.refused = refused
        self.owed = owed
        self.returns = returns
    }
}
