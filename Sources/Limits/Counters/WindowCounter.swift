/// This instance's knowledge of a limit that has a window, such as `60/minute`.
///
/// `@unchecked`: used only while the ledger's lock is held.
final class WindowCounter: LimitCounter, @unchecked Sendable {
    private struct Draft {
        var record: Record
        var isChanged: Bool
        /// The locally counted units that this write adds to the record; nil if there are none.
        private(set) var owed: Record?
        private(set) var returns: [UnitReturn]
        let deferredUntil: Int
        var admitted = 0
        var lease: Lease?
        var reservations: SharedReservations?
        /// The units that this write counts for turns.
        var turns: [UnitReturn] = []
        /// The units of requests that this write takes out of their former buckets.
        var removed: [UnitReturn] = []

        mutating func forgetMoves() {
            owed = nil
            returns = []
        }
    }

    private var limit: Limit
    private let isShared: Bool
    private let sums: CounterSums
    /// The record as last seen in the store. Without a store, it is the only record.
    private(set) var record: Record
    /// Whether the record is one that the store had.
    private var isKnown = false
    /// The number of the version of the record that the store had; 0 if the record differs from it.
    private var version: UInt64 = 0
    /// Whether this instance moved the record back to the current time after last reading it. The record was too far in
    /// the future.
    private var isMoved = false
    /// The record that the store has lost and that the next write merges into the new record; nil if there is none.
    private var unmerged: Record?
    /// The number of the version of the lost record; 0 if it is a mixture of records.
    private var unmergedVersion: UInt64 = 0
    /// Whether an operator has reset the limit. The empty record then takes the place of older copies that others put back.
    private var isReset = false
    /// The units that the next write must add to the store's record; nil if there are none.
    private var owed: Record?
    /// The units that the next write must remove from their buckets in the store.
    private var returns: [UnitReturn] = []
    /// The wall-clock time until which charges and refunds can stay unwritten; 0 if they must be written at once.
    private var deferredUntil = 0
    private var draft: Draft?
    private var unknownWrites = UnknownWrites()
    private var outage: Outage?
    private var lease: Lease?
    /// The ended lease that the next write must remove from the record; nil if there is none.
    private var ended: Lease?
    private var sizing: LeaseSizing
    private var left: ExpiredBuckets
    private var returnTimes = ReturnTimes()
    private var reservations = SharedReservations()
    var lateness = 0
    var heldUnits = 0 { didSet { if heldUnits < oldValue { reservations.release() } } }

    /// - Parameter saved: the record of an earlier process; nil if there is none.
    init(_ limit: Limit, isShared: Bool, sums: CounterSums, at time: Int, saved: Record? = nil) {
        self.limit = limit
        self.isShared = isShared
        self.sums = sums
        record = saved ?? Record(limit.layout, at: time)
        sizing = LeaseSizing(limit)
        left = ExpiredBuckets(limit.layout)
    }

    private var bound: Int { limit.quota.count }

    func use(_ limit: Limit) {
        self.limit = limit
        sizing.limit = limit
    }

    /// Adds the counts of another record of this limit, which an earlier version of the relay wrote.
    func join(_ former: Record) {
        guard !former.isEmpty else { return }
        if unmerged == nil { unmerged = former } else { unmerged?.join(former) }
        unmergedVersion = 0
        record.join(former)
    }

    /// Whether the counter knows a record that the store should have.
    var isCopy: Bool { (isKnown && (!record.isEmpty || isReset)) || hasUnmerged }

    /// The random id of the record that the store has or had; nil if this instance has seen none.
    var birth: UInt64? { isKnown ? record.birth : nil }

    /// The record as the store has it, with the number of its version; nil if this instance does not know both.
    var stored: (record: Record, version: UInt64)? { isKnown && version > 0 ? (record, version) : nil }

    /// Takes a copy of the record from a database as if this instance had known it, unless its own one is newer.
    func take(_ copy: Record, version: UInt64, at time: Int) {
        if hasUnmerged || isKnown && (record.birth != copy.birth || self.version >= version) { return }
        let isEmptied = isReset && !isKnown
        record = copy
        if limit.quota.isBudget { record.lease = Record.Lease() }
        // An operator reset the limit while only the database knew it.
        if isEmptied { record.empty(at: time) }
        (isKnown, self.version) = (true, version)
    }

    /// Makes the current bucket the newest bucket of the record. Remembers the buckets that the record drops.
    private func roll(to time: Int) {
        if lateness > 0 { left.record(record, until: limit.layout.bucket(at: time) - limit.layout.kept + 1) }
        record.roll(to: time)
    }

    /// Returns the limit minus the units that still count although the record has dropped their buckets.
    private func room(at time: Int) -> Int {
        lateness > 0 ? bound - min(bound, left.units(lateness: lateness, at: time)) : bound
    }

    /// Returns a copy of the record with the changes of this instance that the store lacks.
    private func view(at time: Int) -> Record {
        roll(to: time)
        if isWhole { return record }
        var view = record
        if let owed { view.add(owed) }
        if let owed = draft?.owed { view.add(owed) }
        // Refunds come after owed units, because they may refund some of these.
        for back in returns where isCounted(back.bucket) { view.giveBack(back.units, in: back.bucket.number) }
        view.roll(to: time)
        return view
    }

    private var hasUnmerged: Bool { if case .none = unmerged { false } else { true } }

    /// Whether the property `record` already contains all counts that this instance knows.
    private var isWhole: Bool {
        // The comparison is made in place: comparing with nil would copy the values.
        if hasChanges { return false }
        if case .none = draft { return true }
        return draft?.owed == nil
    }

    // MARK: Local decisions

    func hasRoom(for units: Int, at time: Int) -> Bool {
        guard isWhole else { return view(at: time).hasRoom(for: units, of: room(at: time)) }
        roll(to: time)  // without a copy of the record
        return record.hasRoom(for: units, of: room(at: time))
    }

    func hasRoom(for units: Int, by rule: OutageRule, at time: Int) -> Bool {
        switch rule.rule {
        case .allow: return true
        case .deny: return false
        case .local: return hasRoom(for: units, at: time)
        case .share:
            beginOutage(rule.epoch, at: time)
            outage?.roll(to: time)
            return outage?.hasRoom(for: units, of: bound, by: rule) ?? false
        }
    }

    func charge(_ units: Int, at time: Int) -> BucketIndex {
        deferredUntil = 0
        return count(units, at: time)
    }

    private func count(_ units: Int, at time: Int) -> BucketIndex {
        outage?.charge(units, at: time)
        guard isShared else {
            record.roll(to: time)
            record.charge(units)
            return BucketIndex(number: record.newest, birth: record.birth)
        }
        var owed = owed ?? Record(limit.layout, at: time)
        owed.roll(to: time)
        owed.charge(units)
        self.owed = owed
        return BucketIndex(number: owed.newest, birth: nil)
    }

    private func owe(_ other: Record?) {
        guard let other else { return }
        if owed == nil { owed = other } else { owed?.add(other) }
    }

    func refusal(of units: Int, by rule: OutageRule?, at time: Int) -> Refusal? {
        let view = view(at: time)
        let isFull = !view.hasRoom(for: units, of: room(at: time))
        var wait = isFull ? view.retryAfter(units, of: bound, at: time).map { min($0, limit.reset($0, at: time)) } : 0
        if isFull, lateness > 0 { wait = wait.map { left.wait(after: $0, lateness: lateness, at: time) } }
        var lacksPart = false
        if let rule, rule.rule == .share, !hasRoom(for: units, by: rule, at: time) {
            // An instance whose part is nothing has to wait for the store.
            let more = outage?.retryAfter(units, of: bound, by: rule, at: time)
                .map { min($0, limit.reset($0, at: time)) }
            lacksPart = !isFull && (more == nil || limit.quota.isBudget)
            wait = wait.map { max($0, more ?? 1_000_000) }
        } else if !isFull {
            return nil
        }
        guard let wait else { return Refusal(wait: nil, memory: 0) }
        var memory = rule == nil && !limit.quota.unit.isHeld ? wait : min(wait, 1_000_000)
        if view.leased(at: time) > 0 { memory = min(memory, view.leaseEnd - time) }
        return Refusal(wait: wait, memory: memory, lacksPart: lacksPart)
    }

    func returnTime(of units: Int, after wait: Int, patience: Int, at time: Int) -> Int {
        if limit.quota.isCalendar { return wait }
        return returnTimes.returnTime(of: units, after: wait, patience: patience, view(at: time), of: bound, at: time)
    }

    func standing(by rule: OutageRule?, at time: Int) -> LimitStanding {
        guard isWhole else { return standing(of: view(at: time), by: rule, at: time) }
        roll(to: time)
        return standing(of: record, by: rule, at: time)
    }

    private func standing(of view: borrowing Record, by rule: OutageRule?, at time: Int) -> LimitStanding {
        let spare = lease.map { $0.isOpen(at: time) ? $0.left : 0 } ?? 0
        var remaining = view.remaining(of: room(at: time)) + spare
        if let rule, rule.rule == .share, let outage {
            remaining = min(remaining, outage.remaining(of: bound, by: rule))
        }
        return LimitStanding(
            limit: limit,
            remaining: remaining,
            resetMicroseconds: limit.reset(view.reset(at: time), at: time)
        )
    }

    // MARK: Turns

    func turn(_ units: Int, besides bucket: BucketIndex?, in span: ClosedRange<Int>, at time: Int) -> Int? {
        var record = view(at: time)
        if let bucket {
            // Turns that the planned write has moved are in it alone.
            if let draft { record = draft.record }
            if isCounted(bucket) { record.giveBack(units, in: bucket.number) }
        }
        return turn(units, of: record, in: span, at: time).map { self.time(of: $0, in: record, from: span.lowerBound) }
    }

    /// Returns the earliest time from `first` on at which units are counted in a bucket. A reset moves the newest bucket,
    /// in which units are counted now, ahead of the clock.
    private func time(of bucket: Int, in record: Record, from first: Int) -> Int {
        bucket <= record.newest ? first : max(first, limit.layout.start(of: bucket))
    }

    private func turn(_ units: Int, of record: Record, in span: ClosedRange<Int>, at time: Int) -> Int? {
        let layout = limit.layout
        let first = layout.bucket(at: span.lowerBound)
        let last = max(layout.bucket(at: span.upperBound), record.newest)
        if limit.quota.isCalendar {
            // Units never leave a period: what has no room now has none until its end.
            let left = limit.period?.leftMicroseconds(at: time) ?? .max
            let bucket = max(record.newest, first)
            let hasRoom = span.lowerBound - time < left && record.hasRoom(for: units, of: bound)
            return hasRoom && record.canCount(in: bucket) ? bucket : nil
        }
        var turn = record.turn(units, of: bound, from: first, by: last)
        if lateness > 0, turn != record.newest || !record.hasRoom(for: units, of: room(at: time)) {
            // Buckets count for a while after the record has dropped them.
            let spare = lateness * layout.perWindow / layout.windowMicroseconds + 1
            guard let free = record.turn(units, of: bound, from: first - spare) else { return nil }
            turn = record.turn(units, of: bound, from: max(first, free + spare), by: last)
        }
        return turn.flatMap { record.canCount(in: $0) ? $0 : nil }
    }

    func takeTurn(_ units: Int, in span: ClosedRange<Int>, at time: Int) -> BucketIndex? {
        if draft == nil { roll(to: time) }
        let next = draft?.record ?? record
        return turn(units, of: next, in: span, at: time).map { count(units, in: $0, of: next) }
    }

    /// Makes `next` with the units of a turn the draft, or the record without a store.
    private func count(_ units: Int, in bucket: Int, of next: Record) -> BucketIndex {
        var next = next
        next.change(bucket, to: next.count(in: bucket) + units)
        if draft == nil {
            record = next
        } else {
            draft?.record = next
            draft?.isChanged = true
            draft?.turns.append(UnitReturn(units: units, bucket: BucketIndex(number: bucket, birth: next.birth)))
        }
        return BucketIndex(number: bucket, birth: next.birth)
    }

    /// Returns the earliest time before `last` at which the planned write has room for a turn; nil if there is none.
    func freeTurn(before last: Int, at time: Int) -> Int? {
        guard last > time else { return nil }
        let next = draft?.record ?? record
        return turn(1, of: next, in: time...last - 1, at: time).map { self.time(of: $0, in: next, from: time) }
    }

    /// Moves the units of a turn in the planned write to the earliest bucket in `span` with room, and returns it; nil if
    /// there is none.
    /// - Parameter keepsFormer: whether the write counts the units in their former bucket, too.
    func moveTurn(
        _ units: Int,
        from bucket: BucketIndex,
        to span: ClosedRange<Int>,
        keepsFormer: Bool,
        at time: Int
    ) -> BucketIndex? {
        guard let record = draft?.record else { return nil }
        var next = record
        if isCounted(bucket) {
            guard next.count(in: bucket.number) >= units else { return nil }
            next.giveBack(units, in: bucket.number)
        }
        guard let turn = turn(units, of: next, in: span, at: time) else { return nil }
        if keepsFormer { return count(units, in: turn, of: record) }
        if isCounted(bucket) { draft?.removed.append(UnitReturn(units: units, bucket: bucket)) }
        return count(units, in: turn, of: next)
    }

    /// Whether the units of a turn are in a bucket that has not come.
    func isAhead(_ bucket: BucketIndex, at time: Int) -> Bool {
        bucket.number > record.newest && bucket.number > limit.layout.bucket(at: time)
    }

    func keepsTurn(_ units: Int, in bucket: BucketIndex, at time: Int) -> Bool {
        let view = view(at: time)
        return isCounted(bucket) && view.count(in: bucket.number) >= units && view.total <= room(at: time)
    }

    // MARK: Leases

    func spend(_ units: Int, at time: Int) -> BucketIndex? {
        guard var open = lease, units > 0, open.isOpen(at: time), open.left >= units else { return nil }
        guard time < limit.layout.end(of: open.bucket.number) + limit.layout.graceMicroseconds else { return nil }
        open.left -= units
        lease = open
        sums.openUnits -= units
        sizing.record(units, at: time)
        return time < limit.layout.end(of: open.bucket.number)
            ? open.bucket : move(units, from: open.bucket, at: time)
    }

    /// Ends the open lease. The next write removes its unspent units from their bucket.
    private func endLease() {
        guard let lease else { return }
        self.lease = nil
        sums.openUnits -= lease.left
        ended = lease
        if lease.left > 0 { returns.append(UnitReturn(units: lease.left, bucket: lease.bucket)) }
    }

    // MARK: Refunds

    func settle(_ units: Int, used: Int?, in bucket: BucketIndex, at time: Int) {
        guard let used else { return }
        if used > units {
            _ = charge(used - units, at: time)
        } else {
            giveBack(units - max(0, used), in: bucket, at: time)
        }
    }

    func giveBack(_ units: Int, in bucket: BucketIndex, at time: Int) {
        guard units > 0 else { return }
        guard isShared else {
            if isCounted(bucket) { record.giveBack(units, in: bucket.number) }
            return
        }
        if var open = lease, open.bucket == bucket, open.isOpen(at: time),
            time < limit.layout.end(of: bucket.number)
        {
            open.left += units
            lease = open
            sums.openUnits += units
            return
        }
        deferredUntil = 0
        outage?.giveBack(units, in: bucket.number)
        giveBack(units, in: bucket)
    }

    func use(_ units: Int, in bucket: BucketIndex, at time: Int) -> BucketIndex? {
        guard bucket != .nowhere else { return bucket }
        let end = limit.layout.end(of: bucket.number)
        if time < end { return isAhead(bucket, at: time) ? nil : bucket }
        guard time < end + limit.layout.graceMicroseconds else { return nil }
        return move(units, from: bucket, at: time)
    }

    /// Moves units from `bucket` to the current bucket, and returns the current bucket.
    private func move(_ units: Int, from bucket: BucketIndex, at time: Int) -> BucketIndex {
        guard isShared else {
            record.giveBack(units, in: bucket.number)
            return count(units, at: time)
        }
        if !hasChanges { deferredUntil = time + sizing.deferMicroseconds }
        let present = count(units, at: time)
        outage?.giveBack(units, in: bucket.number)
        giveBack(units, in: bucket)
        return present
    }

    /// Returns whether this counter's changes can wait longer before they are written to the store.
    private func isDeferred(at time: Int) -> Bool {
        time < deferredUntil && deferredUntil - time <= sizing.deferMicroseconds
    }

    /// Whether the counter has changes for the store.
    private var hasChanges: Bool {
        if case .none = owed { !returns.isEmpty } else { true }
    }

    func countUnknown(at time: Int) -> Int { lateness > 0 ? left.countUnknown(at: time) : 0 }

    // MARK: Outages

    func beginOutage(_ epoch: Int, at time: Int) {
        if outage?.epoch == epoch { return }
        if outage?.hasSeenStore == false {
            // The outage continues. A new copy would contain what was admitted since, and would divide the rest a
            // second time.
            outage?.epoch = epoch
            return
        }
        outage = Outage(epoch, view(at: time), at: time)
    }

    func endOutage() { outage = nil }

    // MARK: The store

    func absorb(_ found: StoredRecord?, version: UInt64, mark: UInt32, birth: UInt64, isAhead: Bool, at time: Int) {
        var next = if case .counts(let found)? = found { found } else { Record(limit.layout, at: time, birth: birth) }
        if isAhead {
            next.moveBack(to: time)
            moveBack(to: time)
        }
        isMoved = isAhead
        if !unknownWrites.isEmpty { resolveWrites(found == nil ? nil : next, version: version, mark: mark) }
        if lateness > 0 {
            if record.birth == next.birth { left.record(record, until: next.oldest) }
            left.sees(isFound: found != nil, lateness: lateness, at: time)
        }
        if isKnown, record.birth != next.birth {
            sums.rejoined += 1
            keepLost()
        }
        record = next
        if limit.quota.isBudget { reservations.saw(record, at: time) }
        isKnown = found != nil
        self.version = isAhead ? 0 : version
        outage?.hasSeenStore = true
        guard hasUnmerged else { return }
        let (told, bucket) = (record.lease, record.newest)
        unmerged?.roll(to: time)
        guard let lost = unmerged, !lost.isEmpty || isReset, record.restore(lost, version: unmergedVersion) else {
            unmerged = nil
            return
        }
        // The copy may count requests that are over. Each instance tells anew what it holds.
        if limit.quota.isBudget { record.lease = record.newest == bucket ? told : Record.Lease() }
    }

    @inline(never)
    private func resolveWrites(_ found: Record?, version: UInt64, mark: UInt32) {
        guard let done = unknownWrites.resolve(found, version: version, mark: mark) else { return }
        if let written = done.write.reservations { reservations = written }
        if done.missing.isEmpty { return }
        returns += done.missing
        deferredUntil = 0
    }

    /// Keeps the record that the store has lost, until it is written back.
    private func keepLost() {
        if unmerged == nil, version > 0 {
            (unmerged, unmergedVersion) = (record, version)
            return
        }
        // The units are known to be unused, so they are not merged. The new record may not contain them.
        for back in returns where isCounted(back.bucket) { record.giveBack(back.units, in: back.bucket.number) }
        returns.removeAll { isCounted($0.bucket) }
        if unmerged == nil { unmerged = record } else { unmerged?.join(record) }
        unmergedVersion = 0
    }

    func beginDraft(isTaking: Bool, at time: Int) {
        if let lease, isTaking || !lease.isOpen(at: time) { endLease() }
        roll(to: time)
        var next = record
        // A write over the same version makes those with an unknown outcome fail.
        var isChanged = hasUnmerged || isMoved || hasOutdatedReservations(at: time) || !unknownWrites.isEmpty
        let isDue = !isDeferred(at: time)
        for back in returns where isCounted(back.bucket) {
            next.giveBack(back.units, in: back.bucket.number)
            isChanged = isChanged || isDue
        }
        for back in unknownWrites.undoneReturns where isCounted(back.bucket) {
            next.giveBack(back.units, in: back.bucket.number)
        }
        if let ended, isCounted(ended.bucket) { next.endLease(ended.units, in: ended.bucket.number) }
        if let owed {
            next.add(owed)
            next.roll(to: time)
            isChanged = isChanged || isDue
        }
        draft = Draft(record: next, isChanged: isChanged, owed: owed, returns: returns, deferredUntil: deferredUntil)
    }

    /// Returns whether the current record can contain units that were counted in `bucket`. It cannot if the store has
    /// lost the record since then, unless it was put back.
    private func isCounted(_ bucket: BucketIndex) -> Bool {
        guard let birth = bucket.birth, birth != record.birth else { return true }
        return record.origin?.record.birth == birth
    }

    func remove(_ units: Int, from bucket: BucketIndex) {
        draft?.isChanged = true
        guard isCounted(bucket) else { return }
        draft?.record.giveBack(units, in: bucket.number)
        draft?.removed.append(UnitReturn(units: units, bucket: bucket))
    }

    func freeInDraft(by rule: OutageRule?, at time: Int) -> Int {
        guard let draft else { return 0 }
        let free = draft.record.remaining(of: room(at: time))
        guard let rule, rule.rule == .share, let outage else { return free }
        return min(free, outage.remaining(of: bound, by: rule) - draft.admitted)
    }

    func admit(_ units: Int, by rule: OutageRule?, at time: Int) -> Bool {
        if let rule, outage != nil, !hasRoom(for: units + (draft?.admitted ?? 0), by: rule, at: time) { return false }
        guard draft?.record.admit(units, of: room(at: time)) == true else { return false }
        draft?.admitted += units
        if units > 0 { draft?.isChanged = true }
        return true
    }

    var isDraftChanged: Bool { draft?.isChanged ?? false }

    func dropDraft() {
        returns.removeAll { !isCounted($0.bucket) }
        draft = nil
    }

    func commitDraft(leasing: LeaseConditions?, at time: Int) -> (StoredRecord, BucketIndex) {
        guard var next = draft.take() else { preconditionFailure("no draft") }
        let bucket = BucketIndex(number: next.record.newest, birth: next.record.birth)
        if let leasing, next.admitted > 0, lease == nil {
            next.lease = sizing.lease(next.record, bucket, leasing, at: time)
        }
        if let lease = next.lease {
            next.record.charge(lease.units)
            next.record.addLease(lease.units, until: lease.end, at: time)
        }
        if limit.quota.isBudget {
            var reservations = reservations
            reservations.write(heldUnits + next.admitted, to: &next.record, at: time)
            next.reservations = reservations
        }
        draft = next
        owed = nil
        returns = []
        ended = nil
        return (.counts(next.record), bucket)
    }

    func written(version: UInt64, at time: Int) {
        guard let done = draft.take() else { return }
        record = done.record
        isKnown = true
        self.version = version
        if !unknownWrites.isEmpty { unknownWrites = UnknownWrites() }
        if hasUnmerged { unmerged = nil }
        isMoved = false
        if let written = done.reservations {
            reservations = written
            reservations.saw(record, at: time)
        }
        if done.admitted > 0 { sizing.record(done.admitted, at: time) }
        outage?.charge(done.admitted, at: time)
        if let opened = done.lease {
            lease = opened
            sums.leases += 1
            sums.leasedUnits += opened.units
            sums.openUnits += opened.units
        }
    }

    func notWritten() {
        guard let undone = draft.take() else { return }
        owe(undone.owed)
        returns = undone.returns + returns
        if hasChanges { deferredUntil = min(deferredUntil, undone.deferredUntil) }
        returnOwed()
    }

    func unknown(mark: UInt32) {
        guard let write = draft.take() else { return }
        let birth = write.record.birth
        let (counted, returns) = (counted(by: write), write.returns + write.removed)
        unknownWrites.add(
            UnknownWrites.Write(
                mark: mark,
                birth: birth,
                counted: counted,
                returns: returns,
                reservations: write.reservations
            ),
            over: version
        )
        owe(write.owed)
        returnOwed()
    }

    /// Returns the units that a write counts, by their buckets.
    private func counted(by write: Draft) -> [UnitReturn] {
        var counted = write.turns
        func count(_ units: Int, in number: Int) {
            let bucket = BucketIndex(number: number, birth: write.record.birth)
            if units > 0 { counted.append(UnitReturn(units: units, bucket: bucket)) }
        }
        count(write.admitted + (write.lease?.units ?? 0), in: write.record.newest)
        if let owed = write.owed {
            for number in max(0, owed.oldest)...owed.newest { count(owed.count(in: number), in: number) }
        }
        return counted
    }

    /// Subtracts the unwritten refunds from the unwritten charges of the same bucket.
    private func returnOwed() {
        guard owed != nil else { return }
        let all = returns
        returns = []
        for back in all { giveBack(back.units, in: back.bucket) }
    }

    /// Gives back units of a limit that is counted in this process, from the newest buckets first. Returns their number.
    func giveBack(_ units: Int) -> Int { record.giveBack(units) }

    private func giveBack(_ units: Int, in bucket: BucketIndex) {
        var rest = units
        if bucket.birth == nil, let here = owed?.count(in: bucket.number), here > 0 {
            owed?.giveBack(min(here, units), in: bucket.number)
            rest -= min(here, units)
        }
        if rest > 0 { returns.append(UnitReturn(units: rest, bucket: bucket)) }
    }

    // MARK: Upkeep

    func needsWrite(at time: Int) -> Bool {
        let isDue = hasChanges && !isDeferred(at: time)
        if hasUnmerged || !unknownWrites.isEmpty || isDue || hasOutdatedReservations(at: time) { return true }
        return lease.map { $0.left > 0 && time >= $0.returnsBy } ?? false
    }

    func dueTime() -> Int? {
        let end = reservations.dueTime(heldUnits) ?? lease.flatMap { $0.left > 0 ? $0.returnsBy : nil }
        guard hasChanges, deferredUntil > 0 else { return end }
        return min(end ?? deferredUntil, deferredUntil)
    }

    /// Returns the units that running requests of other instances hold of a budget, as far as the record says.
    func heldElsewhere(at time: Int) -> Int {
        isShared && limit.quota.isBudget ? reservations.knownUnits(besidesIn: record, at: time) : 0
    }

    private func hasOutdatedReservations(at time: Int) -> Bool {
        isShared && limit.quota.isBudget && reservations.isOutdated(heldUnits, in: record, at: time)
    }

    func storeLost() { endLease() }

    func isSpent(at time: Int) -> Bool {
        let last = record.future.last?.number ?? record.newest
        return owed == nil && returns.isEmpty && limit.layout.start(of: last + limit.layout.kept) <= time
    }

    var isPinned: Bool { draft != nil || (lease?.left ?? 0) > 0 }

    var owes: Bool { hasChanges || hasUnmerged || !unknownWrites.isEmpty }

    func moveBackIfAhead(of time: Int) -> Bool {
        guard record.isTooFarAhead(of: time), draft == nil else { return false }
        record.moveBack(to: time)
        version = 0
        moveBack(to: time)
        return true
    }

    /// Moves this instance's own counts back in time if they reach into the future. The caller must move `record` back.
    private func moveBack(to time: Int) {
        unmerged?.moveBack(to: time)
        owed?.moveBack(to: time)
        outage?.moveBack(to: time)
        let present = limit.layout.bucket(at: time)
        if let open = lease, open.bucket.number > present {
            sums.openUnits -= open.left
            lease = nil
        }
        ended = nil
        unknownWrites = UnknownWrites()
        returns.removeAll { $0.bucket.number > present }
        deferredUntil = min(deferredUntil, time)
        left = ExpiredBuckets(limit.layout)
    }

    /// Forgets all counted units after an operator has reset the limit. A write that is under way continues.
    func reset(at time: Int) {
        record.empty(at: time)
        isReset = true
        unmerged = nil
        owed = nil
        returns = []
        ended = nil
        deferredUntil = 0
        unknownWrites = UnknownWrites()
        draft?.forgetMoves()
        sums.openUnits -= lease?.left ?? 0
        lease = nil
        outage = nil
        left = ExpiredBuckets(limit.layout)
    }

    func usedShare(at time: Int) -> Double { Double(view(at: time).total) / Double(bound) }

    func close(at time: Int) {
        deferredUntil = 0
        endLease()
    }
}
