/// One limit of one caller, and what this instance is doing with its record.
///
/// `@unchecked`: mutable state is used only while the ledger's lock is held.
final class Account: @unchecked Sendable {
    enum State {
        case idle
        case queued
        case busy
    }

    /// The version of the record on which a write may rely.
    enum WriteBase: Sendable {
        case nothing
        /// The store has no such record.
        case absent
        case version(StoredValue.Version)
        /// The version known from before; the record was not read for this write.
        case kept(StoredValue.Version)
    }

    let key: RecordKey
    let limit: Limit
    let storeKey: String
    let server: Int
    /// The lane that calls the store for this account. It changes only while the account is idle and no request waits
    /// for it.
    var lane: Int
    let counter: any LimitCounter

    /// The parts of undecided requests that are not counted yet, in order of arrival.
    var waiting: [RequestPart] = []
    var fresh = WriteBase.nothing
    /// The version of the record that `counter` knows, after a read or a write; nil if it is not known.
    var known: StoredValue.Version?
    /// Whether nobody else had written the record when it was last read.
    var isOurs = false
    /// The steady time at which other instances were last seen to write this record; nil if they never were.
    var othersAt: Int?
    /// The write under way.
    var writing: WritePlan?
    var state = State.idle
    /// The number of races lost in a row.
    var losses = 0
    /// The steady time before which the account is not processed; set after a lost race.
    var notBefore = 0
    /// The steady time at which the account last had no room for a request.
    var fullAt: Int?
    /// The steady time at which the account is processed next if nothing else happens.
    var due: Int?
    /// The steady time until which requests are decided without the store.
    var ruleUntil = 0
    /// The steady time until which a full `counter` is enough to refuse a request. Steady, because the wall clock may
    /// be corrected.
    var refusedUntil = 0
    /// The steady time until which no refusal is remembered, because it may have been decided before a reset.
    var remembersFrom = 0
    /// The steady time of the last request for this account.
    var usedAt = 0

    init(_ key: RecordKey, _ limit: Limit, storeKey: String, server: Int, lane: Int, counter: any LimitCounter) {
        self.key = key
        self.limit = limit
        self.storeKey = storeKey
        self.server = server
        self.lane = lane
        self.counter = counter
    }

    /// The number of parts that are not decided, including the parts in the write under way.
    var waitingParts: Int { waiting.count + (writing?.takers.count ?? 0) }

    var bytes: Int { 500 + 8 * limit.layout.kept }

    /// Whether a request needs the current record.
    var needsRead: Bool {
        if case .nothing = fresh { return true }
        return waiting.contains(where: \.isUnread)
    }

    func hasWork(at time: Int) -> Bool { counter.needsWrite(at: time) || waiting.contains { $0.isUnread || $0.isNext } }

    /// Whether the account can be dropped without losing anything.
    var isIdle: Bool { state == .idle && waiting.isEmpty && !counter.isPinned }
}

/// The part of a request that concerns one limit.
struct RequestPart {
    let request: Pending
    let index: Int
    /// The bucket from which the write removes units that were too late there; nil if there are none.
    var from: BucketIndex?

    var isUnread: Bool { request.decision == nil && request.parts[index].state == .unread }

    /// Whether this part is the next of its request to be counted.
    var isNext: Bool { request.decision == nil && request.unread == 0 && request.firstOpen == index }
}

/// A planned write: a compare-and-swap, or an addition if the store has no such record.
final class WritePlan: Sendable {
    let account: Account
    let expirySeconds: Int
    let record: StoredRecord
    /// The bucket or entry in which the write counts the units that it admits.
    let position: BucketIndex
    let fresh: Account.WriteBase
    /// The parts that this write counts.
    let takers: [RequestPart]
    /// The parts for which the limit has no room after the `takers`.
    let refused: [RequestPart]

    var key: String { account.storeKey }

    init(
        _ account: Account,
        expirySeconds: Int,
        record: StoredRecord,
        position: BucketIndex,
        takers: [RequestPart],
        refused: [RequestPart]
    ) {
        self.account = account
        fresh = account.fresh
        self.expirySeconds = expirySeconds
        self.record = record
        self.position = position
        self.takers = takers
        self.refused = refused
    }
}
