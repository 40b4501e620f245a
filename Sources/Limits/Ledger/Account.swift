/// The state of one limit of one caller in this instance, with the waiting requests.
///
/// `@unchecked`: mutable state is used only while the ledger's lock is held.
final class Account: @unchecked Sendable {
    enum State {
        case idle
        case queued
        case busy
    }

    /// The version of the record that the next write expects in the store. The write fails if the store has another.
    enum WriteBase: Sendable {
        case nothing
        /// The store has no record of the account, so the write adds one.
        case absent
        case version(StoredValue.Version)
        /// A version that this instance knows from an earlier read or write. The record was not read again.
        case kept(StoredValue.Version)
    }

    /// Whether the database has been asked for a copy of the record, with monotonic times.
    enum CopyState {
        case unasked
        case asked(until: Int)
        case answered(until: Int)
    }

    let key: RecordKey
    private(set) var limit: Limit
    let storeKey: String
    let server: Int
    /// The index of the lane for this account's calls to the store. The index changes only while the account is idle.
    var lane: Int
    let counter: any LimitCounter

    /// Whether units were settled that no write of the record has followed.
    var hasSettled = false
    /// The percentage of the budget that was last reported as used.
    var reportedPercent = 0
    /// The undecided requests that wait to be counted in this limit, in order of arrival.
    var waiting: [RequestPart] = []
    /// The requests that sleep until their turn and count in this limit first, in the order of their turns.
    var sleepers: [Pending] = []
    /// The requests that wait behind turns of their callers, or for running requests, in order of arrival.
    var behind: [Pending] = []
    /// The units of the turns that each caller has at this instance, in a limit of several callers.
    var turns: [Identity: Int] = [:]
    /// The requests that wait for a slot, in order of arrival.
    var slotQueue: [Pending] = []
    /// The wall-clock time of the next look for what other instances have given back.
    var lookAt = 0
    /// Whether the record must be read because requests wait for what others give back.
    var isLooking = false
    var fresh = WriteBase.nothing
    /// The version of the record after this instance's last read or write; nil if the version is unknown.
    var known: StoredValue.Version?
    /// Whether the record must be read although nothing else asks for it, because the store may have lost it.
    var isCompared = false
    /// Whether the last read of the record found the version that this instance already knew. If so, no other instance
    /// wrote the record in between.
    var isOurs = false
    /// The monotonic time of the last sign that another instance wrote the record; nil if there was none.
    var othersAt: Int?
    /// The write of this account's record that is under way; nil if there is none.
    var writing: WritePlan?
    var state = State.idle
    /// The number of writes in a row that failed because another instance wrote the record first.
    var losses = 0
    /// The monotonic time before which the account makes no call to the store.
    var notBefore = 0
    /// The monotonic time of the last refusal because this limit was full; nil if there was none.
    var fullAt: Int?
    /// The monotonic time at which a lane's `DueQueue` returns the account; nil if the account is in no queue.
    var due: Int?
    /// The monotonic time until which requests are decided without the store, because the store refused a write.
    var ruleUntil = 0
    /// The monotonic time until which a request can be refused without a call to the store.
    var refusedUntil = 0
    /// The monotonic time from which refusals are remembered in `refusedUntil`: a second after the limit's last reset.
    var remembersFrom = 0
    /// The monotonic time of the last request for this account.
    var usedAt = 0
    var copy = CopyState.unasked
    /// The wall-clock time at which the record was last seen to change, in microseconds; kept if a database has copies.
    var changedAt = 0
    /// The account of the record that earlier versions of the relay counted in; nil once that record was read.
    var former: Account?
    /// The account whose `former` account this is; nil for all others.
    weak var successor: Account?

    init(_ key: RecordKey, _ limit: Limit, storeKey: String, server: Int, lane: Int, counter: any LimitCounter) {
        self.key = key
        self.limit = limit
        self.storeKey = storeKey
        self.server = server
        self.lane = lane
        self.counter = counter
    }

    /// Makes the account count by the limit's number, if it counted by another.
    func use(_ next: Limit) {
        if next === limit || next.quota.count == limit.quota.count { return }
        limit = next
        counter.use(next)
        fullAt = nil
    }

    /// The number of requests that wait to be counted in this limit, or for their turn in it.
    var waitingParts: Int {
        waiting.count + slotQueue.count + (writing?.takers.count ?? 0) + sleepers.count + behind.count
    }

    /// Returns the units that running requests hold until their use is known: of this instance, and of a budget those of
    /// the others.
    func heldUnits(at time: Int) -> Int {
        counter.heldUnits + ((counter as? WindowCounter)?.heldElsewhere(at: time) ?? 0)
    }

    /// Whether the limit counts running requests.
    var isOfSlots: Bool { limit.quota.unit == .concurrent }

    /// Whether requests wait for what others give back at times that nobody knows.
    var looks: Bool {
        !slotQueue.isEmpty || limit.quota.unit.isKnownLate && !(sleepers.isEmpty && behind.isEmpty)
    }

    /// The wall-clock time of the next delayed write, turn, or look for what others give back; nil if there is none.
    var dueTime: Int? {
        var due = counter.dueTime()
        if let turn = sleepers.first?.wait?.turnAt { due = min(due ?? turn, turn) }
        if looks { due = min(due ?? lookAt, lookAt) }
        return due
    }

    var bytes: Int { 500 + 8 * limit.layout.kept }

    /// Whether the account's record must be read from the store.
    var needsRead: Bool {
        if case .nothing = fresh { return true }
        return isLooking || waiting.contains(where: \.isUnread)
    }

    func hasWork(at time: Int) -> Bool {
        isLooking || counter.needsWrite(at: time) || waiting.contains { $0.isUnread || $0.isNext }
    }

    /// Whether a request of the account is to be decided.
    var hasRequests: Bool { !waiting.isEmpty || !sleepers.isEmpty || !slotQueue.isEmpty || !behind.isEmpty }

    /// Whether the account can be dropped from memory.
    var isIdle: Bool { state == .idle && !hasRequests && !counter.isPinned }
}

/// One limit of a request that waits for the store: the request, and the limit's index in `request.parts`.
struct RequestPart {
    let request: Pending
    let index: Int
    /// The units that the planned write counts for the request; 0 without such a write.
    var units = 0
    /// The bucket of a turn that the planned write counts for the request; nil if it admits the request.
    var turn: BucketIndex?
    /// The bucket that counted the request but ended too early; nil if there is none. The planned write removes the
    /// request's units from this bucket.
    var from: BucketIndex?
    /// The bucket of the request's former turn, which the planned write still counts; nil if there is none.
    var former: BucketIndex?

    var isUnread: Bool { request.decision == nil && request.parts[index].state.isUnread }

    /// Whether this is the limit that must count the request next.
    var isNext: Bool { request.decision == nil && request.unread == 0 && request.firstOpen == index }
}

/// A planned write of a record to the store.
final class WritePlan: Sendable {
    let account: Account
    let expirySeconds: Int
    let record: StoredRecord
    /// The bucket to which the write adds the units of the admitted requests, but not those of turns.
    let bucket: BucketIndex
    let fresh: Account.WriteBase
    /// The requests whose units this write counts.
    let takers: [RequestPart]
    /// The requests for which too few units are left after this write.
    let refused: [RequestPart]
    /// The number by which a later read recognizes the value of this write.
    let mark: UInt32

    var key: String { account.storeKey }

    init(
        _ account: Account,
        expirySeconds: Int,
        draft: (record: StoredRecord, bucket: BucketIndex),
        takers: [RequestPart],
        refused: [RequestPart],
        mark: UInt32
    ) {
        self.account = account
        fresh = account.fresh
        self.expirySeconds = expirySeconds
        (record, bucket) = draft
        self.takers = takers
        self.refused = refused
        self.mark = mark
    }
}
