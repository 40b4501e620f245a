/// This instance's knowledge of a limit of concurrent requests.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class SlotCounter: LimitCounter, @unchecked Sendable {
    private struct Draft {
        var record: SlotRecord
        /// The number of slots that this write admits for requests, minus the number that `remove` has removed.
        var change = 0
        var isChanged: Bool
        var entry: SlotRecord.Entry
    }

    private var limit: Limit
    private let isShared: Bool
    private let sums: CounterSums
    private let instance: UInt64
    private let slotMicroseconds: Int
    /// The record as last seen in the store.
    private var record = SlotRecord()
    /// The wall-clock time at which the record was last read from the store or written; 0 before that.
    private var seenAt = 0
    private var held = 0
    /// This instance's entry in the record, as last written; nil if the record has no such entry.
    private var entry: SlotRecord.Entry?
    /// The time from which this instance must write its entry again; 0 if it must do so at once. It is a time by the
    /// clock of the record's times.
    private var renewal = 0
    private var draft: Draft?
    var lateness = 0
    var heldUnits = 0
    /// Whether the outcome of the last write is unknown. The counter then writes this instance's entry again.
    private var isUncertain = false
    /// Whether `setClock` changed a value during a write. This instance's entry must then be written again.
    private var isOutdated = false
    /// The value for `clockMilliseconds` in this instance's entry of the record; nil for no value.
    private var clockMilliseconds: Int?
    /// The microseconds by which the times in the record are behind this instance's clock.
    private var aheadMicroseconds = 0
    /// The time since which this instance's first request waits, in milliseconds of the record's times; 0 if none waits.
    private var waitingSince = 0
    private var leftSlots = LeftSlots()

    init(_ limit: Limit, isShared: Bool, sums: CounterSums, instance: UInt64, slotMicroseconds: Int) {
        self.limit = limit
        self.isShared = isShared
        self.sums = sums
        self.instance = instance
        self.slotMicroseconds = slotMicroseconds
    }

    private var bound: Int { limit.quota.count }

    func use(_ limit: Limit) { self.limit = limit }

    /// Sets how this instance's corrected clock differs from the store's clock. A change makes the counter write this
    /// instance's entry again.
    /// - Parameters:
    ///   - clockMilliseconds: the value to write into the entry; nil for no value.
    ///   - aheadMicroseconds: the microseconds by which the times in the record are behind this instance's clock.
    func setClock(milliseconds clockMilliseconds: Int?, aheadMicroseconds: Int) {
        let isSame = self.clockMilliseconds == clockMilliseconds && self.aheadMicroseconds == aheadMicroseconds
        if isSame { return }
        self.clockMilliseconds = clockMilliseconds
        self.aheadMicroseconds = aheadMicroseconds
        renewal = 0
        isOutdated = draft != nil
    }

    /// Does nothing: running requests keep their slots when an operator resets the limit.
    func reset(at time: Int) {}

    /// Makes the counter write this instance's entry again at once.
    func renew() { renewal = 0 }

    /// Makes the counter write this instance's entry again, at `time` at the latest.
    func renew(by time: Int) { renewal = min(renewal, time - aheadMicroseconds) }

    /// Sets the number of slots that this instance holds.
    func hold(_ count: Int) { change(by: count - held) }

    private func heldByOthers(_ record: SlotRecord, at time: Int) -> Int {
        guard isShared else { return 0 }
        return record.held(besides: instance, at: time - aheadMicroseconds, slotMicroseconds: slotMicroseconds)
    }

    func living(at time: Int) -> [SlotRecord.Entry] {
        record.living(at: time - aheadMicroseconds, slotMicroseconds: slotMicroseconds)
    }

    // MARK: Waiting requests

    /// Sets the wall-clock time since which the first request of this instance waits for a slot; nil if none waits.
    func wait(since time: Int?) { waitingSince = time.map { max(1, ($0 - aheadMicroseconds) / 1_000) } ?? 0 }

    /// The requests that wait first in other instances and came before those of this one.
    private func earlierWaiters(_ record: SlotRecord, at time: Int) -> [SlotRecord.Waiter] {
        let own = SlotRecord.Waiter(since: waitingSince > 0 ? waitingSince : .max, instance: instance)
        return record.waiters(before: own, at: time - aheadMicroseconds, slotMicroseconds: slotMicroseconds)
    }

    /// Records that the record was seen, and whether it has free slots that are left to other instances.
    private func saw(at time: Int) {
        if !isSeen(lately: Self.shareMicroseconds, at: time) { leftSlots = LeftSlots() }
        seenAt = time
        let free = bound - min(bound, heldByOthers(record, at: time) + held)
        leftSlots.saw(free, earlierWaiters(record, at: time), at: time)
    }

    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool {
        units <= bound - min(bound, heldByOthers(record, at: time) + held)
    }

    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool {
        switch rule.rule {
        case .allow: true
        case .deny: false
        case .local: held + units <= bound
        case .share: held + units <= rule.part(of: bound - min(bound, heldByOthers(record, at: time)))
        }
    }

    func charge(_ units: Int, at time: Int) -> BucketIndex {
        change(by: units)
        return .nowhere
    }

    private func change(by units: Int) {
        let next = max(0, held + units)
        sums.slots += next - held
        held = next
    }

    func spend(_ units: Int, at time: Int) -> BucketIndex? { nil }

    /// The time for which a refusal is remembered, in microseconds.
    private var memoryMicroseconds: Int { limit.kind == .provider ? 50_000 : 1_000_000 }

    private func isSeen(lately microseconds: Int, at time: Int) -> Bool {
        seenAt > 0 && (0..<microseconds).contains(time - seenAt)
    }

    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal? {
        if units > bound { return Refusal(wait: nil, memory: 0) }
        let hasRoom = rule.map { self.hasRoom(for: units, by: $0, at: time) } ?? self.hasRoom(for: units, at: time)
        return hasRoom ? nil : Refusal(wait: 1_000_000, memory: memoryMicroseconds)
    }

    func returnTime(of units: Int, after wait: Int, patience: Int, at time: Int) -> Int { wait }

    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding {
        let free = bound - min(bound, heldByOthers(record, at: time) + held)
        return LimitStanding(limit: limit, remaining: free, resetMicroseconds: 0)
    }

    func settle(_ units: Int, used: Int?, in bucket: BucketIndex, at time: Int) { change(by: -units) }

    func giveBack(_ units: Int, in bucket: BucketIndex, at time: Int) { change(by: -units) }

    func use(_ units: Int, in bucket: BucketIndex, at time: Int) -> BucketIndex? {
        time < bucket.number ? bucket : nil
    }

    // No time is known at which a slot becomes free.
    func turn(_ units: Int, besides bucket: BucketIndex?, in span: ClosedRange<Int>, at time: Int) -> Int? { nil }

    func takeTurn(_ units: Int, in span: ClosedRange<Int>, at time: Int) -> BucketIndex? { nil }

    func keepsTurn(_ units: Int, in bucket: BucketIndex, at time: Int) -> Bool { false }

    func countUnknown(at time: Int) -> Int { 0 }

    func beginOutage(_ epoch: Int, at time: Int) {}

    func endOutage() {}

    // MARK: The store

    func absorb(_ found: StoredRecord?, version: UInt64, mark: UInt32, birth: UInt64, isAhead: Bool, at time: Int) {
        if case .slots(let found)? = found { record = found } else { record = SlotRecord() }
        entry = record.entry(of: instance)
        saw(at: time)
    }

    func beginDraft(isTaking: Bool, at time: Int) {
        draft = Draft(
            record: record,
            isChanged: needsWrite(at: time),
            entry: SlotRecord.Entry(instance: instance, held: held, endMilliseconds: 0)
        )
    }

    func remove(_ units: Int, from bucket: BucketIndex) {
        draft?.change -= units
        draft?.isChanged = true
    }

    // A request never wishes for more slots than it needs.
    func freeInDraft(by rule: OutageRule?, at time: Int) -> Int { 0 }

    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool {
        guard let next = draft else { return false }
        let mine = held + next.change + units
        let left = leftSlots.count(earlierWaiters(next.record, at: time), at: time)
        let others = heldByOthers(next.record, at: time) + left
        if mine > bound - min(bound, others), units > 0 { return false }
        if let rule, rule.rule == .share, mine > rule.part(of: bound - min(bound, heldByOthers(next.record, at: time)))
        {
            return false
        }
        draft?.change += units
        if units > 0 { draft?.isChanged = true }
        return true
    }

    var isDraftChanged: Bool {
        guard let draft else { return false }
        return draft.isChanged || waitingSince != entry?.waitingSince ?? 0
    }

    func dropDraft() { draft = nil }

    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex) {
        guard var next = draft else { preconditionFailure("no draft") }
        let time = time - aheadMicroseconds
        let end = (time + slotMicroseconds) / 1_000
        next.entry.held = held + next.change
        next.entry.endMilliseconds = end
        next.entry.clockMilliseconds = clockMilliseconds
        next.entry.waitingSince = waitingSince
        next.record.put(next.entry, at: time, slotMicroseconds: slotMicroseconds)
        draft = next
        return (.slots(next.record), BucketIndex(number: end * 1_000 + aheadMicroseconds, birth: nil))
    }

    func written(version: UInt64, at time: Int) {
        guard let done = draft else { return }
        draft = nil
        isUncertain = false
        record = done.record
        entry = done.entry.isNeeded ? done.entry : nil
        renewal = isOutdated ? 0 : done.entry.endMilliseconds * 1_000 - slotMicroseconds / 3 * 2
        isOutdated = false
        change(by: done.change)
        saw(at: time)
    }

    func notWritten() {
        draft = nil
        isOutdated = false
    }

    func unknown(mark: UInt32) {
        draft = nil
        isOutdated = false
        isUncertain = true
        renewal = 0
    }

    // MARK: Upkeep

    func needsWrite(at time: Int) -> Bool {
        guard isShared else { return false }
        let isListed = entry.map { $0.waitingSince > 0 } ?? false
        return isUncertain || held != (entry?.held ?? 0) || isListed != (waitingSince > 0)
            || (isRenewed && time - aheadMicroseconds >= renewal)
    }

    private var isRenewed: Bool { held > 0 || waitingSince > 0 }

    func dueTime() -> Int? { isRenewed && isShared ? renewal + aheadMicroseconds : nil }

    func storeLost() {}

    func isSpent(at time: Int) -> Bool {
        !isPinned && !needsWrite(at: time) && !(isShared && isSeen(lately: Self.shareMicroseconds, at: time))
    }

    var isPinned: Bool { draft != nil || held > 0 || entry != nil || isUncertain }

    var owes: Bool { false }

    func moveBackIfAhead(of time: Int) -> Bool { false }

    /// The time after the last read or write of the record in which `usedShare(at:)` counts other instances' slots, in
    /// microseconds.
    private static let shareMicroseconds = 1_000_000

    func usedShare(at time: Int) -> Double {
        let others = isSeen(lately: Self.shareMicroseconds, at: time) ? heldByOthers(record, at: time) : 0
        return Double(others + held) / Double(bound)
    }

    /// Releases all slots, because aborted requests might not have reported their end.
    func close(at time: Int) {
        change(by: -held)
        waitingSince = 0
    }
}
