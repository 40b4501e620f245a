/// One limit of one caller, and the work of this instance on the record of this limit.
///
/// `@unchecked`: mutable state is used only while the ledger's lock is held.
final class Account: @unchecked Sendable {
    enum State {
        case idle
        case queued
        case busy
    }

    /// The version of the record that the next write expects to find in the store.
    enum WriteBase: Sendable {
        case nothing
        /// The store has no such record, so the write adds one.
        case absent
        case version(StoredValue.Version)
        /// A version that is known from an earlier call. The record was not read again for this write.
        case kept(StoredValue.Version)
    }

    let key: RecordKey
    let limit: Limit
    let storeKey: String
    let server: Int
    /// The index of the lane that calls the store for this account. A lane is a connection to one server of the store.
    /// The index changes only while the account is idle and no request waits for it.
    var lane: Int
    let counter: any LimitCounter

    /// The parts of undecided requests that wait to be counted in this account, in order of arrival. Each part is one
    /// limit of a request.
    var waiting: [RequestPart] = []
    var fresh = WriteBase.nothing
    /// The version of the record that `counter` knows from the last read or write; nil if it is not known.
    var known: StoredValue.Version?
    /// Whether this instance's last read showed the record unchanged: its version was the version that this instance
    /// already knew.
    var isOurs = false
    /// The monotonic time at which this instance last saw that another instance had written the record; nil if it never
    /// did.
    var othersAt: Int?
    /// The write of this account to the store that is under way; nil if there is none.
    var writing: WritePlan?
    var state = State.idle
    /// The number of writes in a row that failed because another instance wrote the record first.
    var losses = 0
    /// The monotonic time before which the account makes no call to the store, for example because a write has just
    /// failed.
    var notBefore = 0
    /// The monotonic time at which the account last had no room for a request; nil if it always had room.
    var fullAt: Int?
    /// The monotonic time at which the account is processed next without a request; nil if no time is planned.
    var due: Int?
    /// The monotonic time until which requests of this account are decided without the store, because the store refused
    /// its record.
    var ruleUntil = 0
    /// The monotonic time until which requests can be refused from `counter` alone, without calling the store. It is
    /// monotonic because the wall clock may be corrected.
    var refusedUntil = 0
    /// The monotonic time from which refusals are remembered again after a reset by an operator. Earlier refusals may
    /// have been decided before the reset.
    var remembersFrom = 0
    /// The monotonic time of the last request for this account.
    var usedAt = 0

    init(_ key: RecordKey, _ limit: Limit, storeKey: String, server: Int, lane: Int, counter: any LimitCounter) {
        self.key = key
        self.limit = limit
        self.storeKey = storeKey
        self.server = server
        self.lane = lane
        self.counter = counter
    }

    /// The number of request parts that are not decided yet, including the parts in the write that is under way. A part
    /// is one limit of a request.
    var waitingParts: Int { waiting.count + (writing?.takers.count ?? 0) }

    var bytes: Int { 500 + 8 * limit.layout.kept }

    /// Whether a waiting request needs the current record from the store.
    var needsRead: Bool {
        if case .nothing = fresh { return true }
        return waiting.contains(where: \.isUnread)
    }

    func hasWork(at time: Int) -> Bool { counter.needsWrite(at: time) || waiting.contains { $0.isUnread || $0.isNext } }

    /// Whether the account can be dropped from memory: no work is under way, no request waits, and its counter is not
    /// needed.
    var isIdle: Bool { state == .idle && waiting.isEmpty && !counter.isPinned }
}

/// The part of a request that concerns one of its limits.
struct RequestPart {
    let request: Pending
    let index: Int
    /// The bucket from which the write removes the units of this part, because they were counted there too late; nil if
    /// they were not counted before.
    var from: BucketIndex?

    var isUnread: Bool { request.decision == nil && request.parts[index].state == .unread }

    /// Whether this part (one limit of a request) is the next part of its request that must be counted in the store.
    var isNext: Bool { request.decision == nil && request.unread == 0 && request.firstOpen == index }
}

/// A planned write of a record to the store: a compare-and-swap, or an addition if the store has no such record.
final class WritePlan: Sendable {
    let account: Account
    let expirySeconds: Int
    let record: StoredRecord
    /// The bucket in which the write counts the units that it admits. For slots, it is this instance's entry.
    let position: BucketIndex
    let fresh: Account.WriteBase
    /// The request parts whose units this write counts. A part is one limit of a request.
    let takers: [RequestPart]
    /// The request parts that do not fit into the limit together with the `takers`.
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
