@testable import Limits

/// The description of an instance as words. It includes the private state of the counters by reflection, so a new field
/// of a counter needs no change here. `Account`, `Pending` and the lanes are described field by field.
struct Reflection {
    var words = Words()
    /// The current time. Times before it are equal, and records that differ only by being rolled to it are equal, too.
    private let now: ClockReading
    private let isTimed: Bool
    /// Whether records can be lost, so that it matters which of two copies is the newer one.
    private let losesRecords: Bool
    private var indices: [ObjectIdentifier: Int] = [:]

    /// - Parameter isTimed: whether the start of a call under way matters.
    init(now: ClockReading, isTimed: Bool, losesRecords: Bool) {
        self.losesRecords = losesRecords
        self.now = now
        self.isTimed = isTimed
    }

    // MARK: Types with accessible state

    mutating func put(_ account: Account) {
        if isKnown(account) { return }
        switch account.state {
        case .idle: words.put(0)
        case .queued: words.put(1)
        case .busy: words.put(2)
        }
        put(account.fresh)
        if let known = account.known { put(known) } else { words.put(-3) }
        words.put(account.isOurs ? 1 : 0)
        words.put(account.othersAt == nil ? 0 : 1)  // no search lasts as long as it is remembered
        words.put(account.losses)
        for time in [account.notBefore, account.ruleUntil, account.refusedUntil] { words.put(max(time, now.steady)) }
        words.put(account.due ?? -1)
        put(account.waiting)
        put(account.sleepers)
        if !account.sleepers.isEmpty { words.put(max(account.lookAt, now.wall)) }
        if let plan = account.writing { put(plan) } else { words.put(-2) }
        putCounter(account.counter)
    }

    private mutating func put(_ fresh: Account.WriteBase) {
        switch fresh {
        case .nothing: words.put(0)
        case .absent: words.put(1)
        case .version(let version): put(version)
        case .kept(let version):
            words.put(2)
            put(version)
        }
    }

    private mutating func put(_ version: StoredValue.Version) {
        words.put(version.number, .version)
        words.put(version.connection, .connection)
    }

    private mutating func put(_ parts: [RequestPart]) {
        words.put(parts.count)
        for part in parts {
            words.put(part.index)
            if let from = part.from { put(from) }
            if let turn = part.turn { put(turn) }
            put(part.request)
        }
    }

    mutating func put(_ bucket: BucketIndex) {
        words.put(bucket.number)
        words.put(bucket.birth ?? 0, .birth)
    }

    mutating func put(_ request: Pending) {
        if isKnown(request) { return }
        words.put(request.unread)
        if isTimed {
            for time in [request.begun, request.movedAt, request.due] { words.put(time) }
            words.put(request.lateFirings)
            words.put(request.lateAt ?? 0)
        }
        words.put(request.decision == nil ? 0 : 1)
        if request.decision != nil { return }
        if let wait = request.wait { put(wait) }
        for part in request.parts {
            words.put(part.units)
            switch part.state {
            case .unread: words.put(0)
            case .seen: words.put(1)
            case .writing: words.put(2)
            case .claimed(let bucket):
                words.put(3)
                put(bucket)
            case .late(let bucket):
                words.put(4)
                put(bucket)
            case .local: words.put(5)
            case .turn(let bucket):
                words.put(6)
                put(bucket)
            }
            put(part.account)
        }
    }

    private mutating func put(_ sleepers: [Pending]) {
        words.put(sleepers.count)
        for request in sleepers { put(request) }
    }

    private mutating func put(_ wait: TurnWait) {
        words.put(wait.until)
        words.put(wait.turnAt ?? -1)
        words.put(wait.isAsleep ? 1 : 0)
        words.put(wait.isCounted ? 1 : 0)
        words.put(wait.isOver ? 1 : 0)
        words.put(wait.kind == nil ? 0 : 1)
        words.put(wait.moves)
    }

    mutating func put(_ plan: WritePlan) {
        if isKnown(plan) { return }
        put(plan.record)
        put(plan.bucket)
        put(plan.fresh)
        put(plan.takers)
        put(plan.refused)
        words.put(UInt64(plan.mark), .mark)
    }

    mutating func put(_ record: StoredRecord) {
        switch record {
        case .counts(let counts): put(counts)
        case .slots(let slots): put(slots)
        }
    }

    private mutating func put(_ record: SlotRecord) {
        words.put(record.entries.count)
        for entry in record.entries {
            words.put(entry.instance)
            words.put(entry.held)
            words.put(entry.endMilliseconds)
        }
    }

    private mutating func put(_ record: Record) {
        words.put(record.birth, .birth)
        let newest = max(record.newest, record.layout.bucket(at: now.wall))
        words.put(newest)
        if record.lease.units > 0 {
            words.put(record.lease.units)
            words.put(record.lease.endMilliseconds)
        }
        if let origin = record.origin {
            words.put(origin.version, .order)
            put(origin.record)
        }
        for bucket in record.future {
            words.put(bucket.number)
            words.put(bucket.units)
        }
        if record.total == 0 { return }
        for bucket in newest - record.layout.kept + 1...newest { words.put(record.count(in: bucket)) }
    }

    mutating func put(_ result: StoreResult) {
        switch result {
        case .connected: words.put(0)
        case .state: words.put(1)
        case .wrote(let results, let found):
            for result in results { put(result) }
            for found in found { put(found) }
        case .found(let found): for found in found { put(found) }
        }
    }

    private mutating func put(_ result: WriteResult) {
        if case .written(let version) = result { put(version) } else { words.put(3) }
    }

    private mutating func put(_ found: FoundRecord) {
        switch found {
        case .absent: words.put(0)
        case .broken(let version, _): put(version)
        case .record(let record, let version, let mark):
            put(version)
            put(record)
            words.put(UInt64(mark), .mark)
        case .ahead(let record, let version):
            put(version)
            put(record)
        }
    }

    mutating func put(_ server: Ledger.Server) {
        words.put(server.isDown ? 1 : 0)
        if server.isDown { words.put(server.downSince) }
        words.put(server.epoch)
        for time in [server.probeAt, server.shareUntil] { words.put(max(time, now.steady)) }
        for accounts in [server.active, server.owing] {
            var sum: UInt64 = 0
            for account in accounts.values { sum &+= UInt64((indices[ObjectIdentifier(account)] ?? -1) + 2) }
            words.put(sum)
        }
    }

    mutating func put(_ lane: Ledger.Lane) {
        words.put(lane.inbox.count)
        for account in lane.inbox { put(account) }
        words.put(lane.due.soonest ?? -1)
        words.put(lane.connectedEpoch ?? -1)
        if isTimed {
            words.put(lane.callSince ?? -1)
            words.put(lane.heardAt)
        }
        guard case .serve(let serving) = lane.round else { return words.put(-1) }
        for accounts in [serving.accounts, serving.unread] {
            words.put(accounts.count)
            for account in accounts { put(account) }
        }
        words.put(serving.epoch)
        words.put(serving.isReadAnew ? 1 : 0)
        for plan in serving.writing { put(plan) }
        for account in serving.contended + serving.reread { put(account) }
    }

    /// Writes the number of an object that was met before. Returns whether it was.
    private mutating func isKnown(_ object: AnyObject) -> Bool {
        let known = indices[ObjectIdentifier(object)]
        words.put(known ?? -1)
        if known == nil { indices[ObjectIdentifier(object)] = indices.count }
        return known != nil
    }

    // MARK: Types with private state

    /// The fields that are the same in all states, or matter only for leases or the times that refusals name. No limit of
    /// a search is large enough for a lease.
    private static let constant: Set<String> = [
        "limit", "isShared", "sums", "instance", "slotMicroseconds", "layout", "pace", "longPace", "returnTimes",
    ]

    private mutating func putCounter(_ counter: any LimitCounter) {
        for child in Mirror(reflecting: counter).children where !Self.constant.contains(child.label ?? "") {
            put(child.value, child.label)
        }
    }

    private mutating func put(_ value: Any, _ label: String?) {
        let type = ObjectIdentifier(type(of: value))
        if type == Kinds.number, let number = value as? Int { return words.put(number) }
        if type == Kinds.flag, let flag = value as? Bool { return words.put(flag ? 1 : 0) }
        if type == Kinds.record, let record = value as? Record { return put(record) }
        if type == Kinds.slots, let record = value as? SlotRecord { return put(record) }
        if type == Kinds.bucket, let bucket = value as? BucketIndex { return put(bucket) }
        if type == Kinds.maybeRecord, let record = value as? Record? {
            if let record { put(record) } else { words.put(-3) }
            return
        }
        if type == Kinds.word, let word = value as? UInt64 {
            if label == "version" || label == "unmergedVersion" {
                if losesRecords { words.put(word, .order) }
                return
            }
            if label == "replaced" { return words.put(word, .version) }
            return label == "birth" ? words.put(word, .birth) : words.put(word)
        }
        if type == Kinds.mark, let mark = value as? UInt32 { return words.put(UInt64(mark), .mark) }
        let mirror = Mirror(reflecting: value)
        words.put(mirror.children.count)
        for child in mirror.children where !Self.constant.contains(child.label ?? "") {
            put(child.value, child.label)
        }
    }

    private enum Kinds {
        static let number = ObjectIdentifier(Int.self)
        static let flag = ObjectIdentifier(Bool.self)
        static let word = ObjectIdentifier(UInt64.self)
        static let mark = ObjectIdentifier(UInt32.self)
        static let record = ObjectIdentifier(Record.self)
        static let maybeRecord = ObjectIdentifier(Record?.self)
        static let slots = ObjectIdentifier(SlotRecord.self)
        static let bucket = ObjectIdentifier(BucketIndex.self)
    }
}

extension World {
    /// Whether the start of a call under way matters.
    private var isTimed: Bool {
        setting.longestCall != nil || Setting.start + setting.timeoutMicroseconds <= lastTime
    }

    /// The description of everything except the instances.
    var surroundings: Words {
        var all = Reflection(
            now: ClockReading(wall: now + (setting.clocks.min() ?? 0), steady: now),
            isTimed: false,
            losesRecords: setting.losses > 0
        )
        all.words.put(now)
        all.words.put(asks.count)
        all.words.put(spent.failures << 48 | spent.doubles << 32 | spent.losses << 16 | spent.deaths)
        for subject in subjects {
            guard let item = store.items[subject.key] else {
                all.words.put(0)
                continue
            }
            all.put(item.record)
            all.words.put(UInt64(item.mark), .mark)
        }
        for ghost in ghosts {
            all.words.put(store.takes(ghost.plan) ? 1 : 0)
            all.put(ghost.plan.record)
        }
        if asks.count == setting.asks, asks.allSatisfy(\.isDecided), setting.settlements.isEmpty { return all.words }
        let window = subjects.map(\.limit.layout.windowMicroseconds).max() ?? 0
        for ask in asks {
            let isRecent = ask.admittedAt.map { now - $0 < window } ?? false
            let isHeld = !ask.held.isEmpty && !ask.isSettled
            if !isRecent, !isHeld { continue }
            all.words.put(ask.admittedAt ?? 0)
            all.words.put(ask.units(setting))
            all.words.put(ask.isSettled ? 1 : 0)
            if setting.losses > 0 {
                all.words.put(ask.bucket)
                all.words.put(asks.count { $0.order < ask.order })
                all.words.put(ask.lossesBefore << 16 | (ask.isInRecord ? 1 : 0) << 8)
                all.words.put(ask.knownBy << 32 | ask.seen)
            }
        }
        all.words.put(isLapsed ? 1 : 0)
        return all.words
    }

    func words(of instance: ModelInstance) -> Words {
        var all = Reflection(now: instance.now, isTimed: isTimed, losesRecords: setting.losses > 0)
        all.words.put(instance.isDead ? 1 : 0)
        if instance.isDead { return all.words }
        for account in accounts(of: instance) { all.put(account) }
        all.put(instance.ledger.servers[0])
        for index in World.loops {
            all.put(instance.ledger.lanes[index])
            let lane = instance.lanes[index]
            all.words.put(lane.connection, .connection)
            all.words.put(lane.wait.map { max($0, now) } ?? -1)
            guard let flight = lane.flight else { continue }
            if isTimed || fault == .lateAnswer { all.words.put(flight.since.steady) }
            if case .write(let plans, _) = flight.call { for plan in plans { all.put(plan) } }
            if let result = flight.result { all.put(result) } else { all.words.put(-1) }
        }
        for ask in asks where ask.instance == instance.number {
            guard let pending = ask.pending else {
                if ask.isSettled { continue }
                for held in ask.held { all.put(held.bucket) }
                continue
            }
            all.put(pending)
        }
        return all.words
    }
}
