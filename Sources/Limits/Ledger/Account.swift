/// One limit of one caller, and what this instance is doing with its record.
///
/// `@unchecked`: what changes is reached with the ledger's lock held only.
final class Account: @unchecked Sendable {
    enum State {
        case idle
        case queued
        case busy
    }

    /// The version that a write may rely on.
    enum Fresh: Sendable {
        case nothing
        /// The store has no such record.
        case absent
        case version(StoredValue.Version)
        /// Of what was known before; not read for this write.
        case kept(StoredValue.Version)
    }

    let key: RecordKey
    let limit: Limit
    let storeKey: String
    let server: Int
    /// Another one only while it is idle and nobody waits for it.
    var lane: Int
    let tally: any Tally

    /// Parts of undecided requests that are not counted yet, in the order they came.
    var waiting: [Part] = []
    var fresh = Fresh.nothing
    /// The version of what the tally knows, after a read or a write.
    var known: StoredValue.Version?
    /// Nobody else had written when it was read last.
    var isOurs = false
    /// When it was seen last that others write it, too (steady).
    var othersAt: Int?
    /// The write under way.
    var writing: WritePlan?
    var state = State.idle
    /// Races lost in a row.
    var losses = 0
    /// Not looked at before (steady), after a race.
    var notBefore = 0
    /// When it had no room for a request last (steady).
    var fullAt: Int?
    /// When it is looked at next if nothing else happens (steady).
    var due: Int?
    /// Until then (steady) decided without the store.
    var ruleUntil = 0
    /// Until then (steady, as the wall clock may be mended) a tally without room is answer enough.
    var refusedUntil = 0
    /// Until then (steady) no refusal is remembered: it may have been decided before a reset.
    var remembersFrom = 0
    /// When a request asked for it last (steady).
    var usedAt = 0

    init(_ key: RecordKey, _ limit: Limit, storeKey: String, server: Int, lane: Int, _ tally: any Tally) {
        self.key = key
        self.limit = limit
        self.storeKey = storeKey
        self.server = server
        self.lane = lane
        self.tally = tally
    }

    /// Those that are not decided, with those of the write under way.
    var waitingParts: Int { waiting.count + (writing?.takers.count ?? 0) }

    var bytes: Int { 500 + 8 * limit.grid.kept }

    /// A request needs the record as it is now.
    var needsRead: Bool {
        if case .nothing = fresh { return true }
        return waiting.contains(where: \.isUnread)
    }

    func hasWork(at time: Int) -> Bool { tally.needsWrite(at: time) || waiting.contains { $0.isUnread || $0.isNext } }

    /// Nothing is lost with it.
    var isIdle: Bool { state == .idle && waiting.isEmpty && !tally.isPinned }
}

/// One limit's part of a request.
struct Part {
    let request: Pending
    let index: Int
    /// In a write: where it takes the units out, because they were too late there.
    var from: Place?

    var isUnread: Bool { request.decision == nil && request.parts[index].state == .unread }

    /// To be counted now.
    var isNext: Bool { request.decision == nil && request.unread == 0 && request.firstOpen == index }
}

/// A compare-and-swap, or an addition where `fresh` says that there is nothing.
final class WritePlan: Sendable {
    let account: Account
    let expirySeconds: Int
    let record: StoredRecord
    /// The place in which it counts the units that it admits.
    let place: Place
    let fresh: Account.Fresh
    /// Parts counted by this write.
    let takers: [Part]
    /// Parts that found no room beside them.
    let refused: [Part]

    var key: String { account.storeKey }

    init(
        _ account: Account,
        expirySeconds: Int,
        record: StoredRecord,
        place: Place,
        takers: [Part],
        refused: [Part]
    ) {
        self.account = account
        fresh = account.fresh
        self.expirySeconds = expirySeconds
        self.record = record
        self.place = place
        self.takers = takers
        self.refused = refused
    }
}
