/// The error of this machine's clock, and the correction of its time. The error is the machine's time minus the store's
/// time, in microseconds.
struct ClockWatch {
    private enum Trust: Equatable {
        /// The store's clock has not been read yet.
        case new
        /// The store's clock was read; the other instances' clocks are not known yet.
        case measured
        /// The wall clock was set, and the store's clock has not been read since. `kept` is the corrected clock's time
        /// minus the store's time before the wall clock was set, in microseconds.
        case set(kept: Int)
        case sure
    }

    /// The monotonic time at which the store's clock is measured next.
    private(set) var measureAt = 0
    /// The microseconds by which the machine's clock was ahead of the store's clock when last measured; nil before the
    /// first measurement.
    private(set) var difference: Int?
    /// The microseconds that are subtracted from the machine's clock.
    private(set) var correction = 0
    private var trust = Trust.new
    /// The wall-clock time minus the monotonic time at the last reading; nil before the first reading.
    private var lead: Int?
    /// The monotonic time at which the relay last noticed that the wall clock was set; nil if it never did.
    private var setAt: Int?
    private var measuredAt = 0
    private var firstMeasuredAt: Int?
    /// The monotonic time since which the machine's clock has differed from the store's clock by more than
    /// `toleranceMicroseconds`; nil if the difference is smaller.
    private var offSince: Int?
    /// The monotonic time until which `check` does not correct the clock, because the store's clock was set and the
    /// other instances might not have noticed yet.
    private var othersUncertainUntil = 0

    /// The largest clock error that is not corrected, in microseconds.
    static let toleranceMicroseconds = 3_000_000
    static let intervalMicroseconds = 60_000_000
    /// The maximum duration of a call that measures the store's clock, in microseconds.
    static let longestCallMicroseconds = 1_000_000
    /// The times of the next five measurements of the store's clock, in microseconds after the first measurement.
    private static let earlyMicroseconds = [500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000]

    /// Whether the machine's clock is not verified: at the start, or again after it was set.
    var isUnsure: Bool { trust != .sure }
    /// Whether the store's clock has been read, but the clocks of the other instances are not known yet.
    var isMeasured: Bool { trust == .measured }
    /// The corrected clock's time minus the store's time, in microseconds; nil before the first measurement.
    var remaining: Int? { difference.map { $0 - correction } }

    /// Returns whether the first measurement of the store's clock is missing or only seconds old.
    func isEarly(_ now: ClockReading) -> Bool {
        firstMeasuredAt.map { now.steady < $0 + (Self.earlyMicroseconds.last ?? 0) + 1_000_000 } ?? true
    }

    /// Returns the corrected time, and whether the wall clock was set since the last reading.
    mutating func read(_ now: ClockReading) -> (reading: ClockReading, isSet: Bool) {
        let lead = now.wall - now.steady
        let step = lead - (self.lead ?? lead)
        self.lead = lead
        let isSet = abs(step) > Self.toleranceMicroseconds
        if isSet {
            if trust == .sure { trust = remaining.map { .set(kept: $0) } ?? .new }
            correction += step
            setAt = now.steady
            measureAt = now.steady
        }
        return (ClockReading(wall: now.wall - correction, steady: now.steady), isSet)
    }

    /// Records a reading of the store's clock.
    /// - Parameters:
    ///   - storeSeconds: the store's time in seconds since 1970.
    ///   - took: the duration of the call in microseconds.
    ///   - now: a time returned by `read`.
    mutating func measured(storeSeconds: Int, took: Int, at now: ClockReading) {
        let store = storeSeconds.multipliedReportingOverflow(by: 1_000_000)
        // A response from before a sleep contains the time of then.
        let isStale = setAt.map { $0 > now.steady - took } ?? false
        guard !store.overflow, took <= Self.longestCallMicroseconds, !isStale else {
            measureAt = now.steady
            return
        }
        let next = now.wall + correction - took / 2 - (store.partialValue + 750_000)
        switch trust {
        case .new: trust = .measured
        case .measured: break
        case .set(let kept):
            correct(against: kept, next)
            trust = .sure
        case .sure:
            // Our clock was not set, so the store's was.
            if let before = difference, abs(next - before) > Self.toleranceMicroseconds {
                othersUncertainUntil = now.steady + Self.intervalMicroseconds + 15_000_000
            }
        }
        difference = next
        measuredAt = now.steady
        measureAt = now.steady + pause(now)
    }

    private mutating func pause(_ now: ClockReading) -> Int {
        let first = firstMeasuredAt ?? now.steady
        firstMeasuredAt = first
        let isOff = abs(difference ?? 0) > Self.toleranceMicroseconds
        offSince = isOff ? offSince ?? now.steady : nil
        if let offSince { return now.steady - offSince < 10_000_000 ? 100_000 : 1_000_000 }
        let next = Self.earlyMicroseconds.first { first + $0 > now.steady }
        return next.map { first + $0 - now.steady } ?? Self.intervalMicroseconds
    }

    /// Corrects the clock if it differs too much from the other instances' clocks. Without other instances, the store's
    /// clock is the reference.
    /// - Parameters:
    ///   - others: for each other instance, its corrected time minus the store's time, in microseconds.
    ///   - isAlone: whether there are certainly no other instances.
    mutating func check(_ others: [Int], isAlone: Bool, at now: ClockReading) {
        guard let difference, let own = remaining else { return }
        guard !others.isEmpty || isAlone || trust == .measured else { return }
        let reference = others.isEmpty ? 0 : Self.median(others + [own])
        switch trust {
        case .new, .set: return
        case .measured: correct(against: reference, difference)
        case .sure:
            if abs(own - reference) <= Self.toleranceMicroseconds { return }
            guard now.steady - measuredAt < 2_000_000 else {
                measureAt = min(measureAt, now.steady)
                return
            }
            if now.steady >= othersUncertainUntil { correct(against: reference, difference) }
        }
        trust = .sure
    }

    private mutating func correct(against reference: Int, _ difference: Int) {
        let distance = difference - reference
        correction = abs(distance) > Self.toleranceMicroseconds ? distance : 0
    }

    /// Returns the median of the values; of two middle values, the value nearer to 0.
    private static func median(_ all: [Int]) -> Int {
        let sorted = all.sorted()
        let (low, high) = (sorted[(sorted.count - 1) / 2], sorted[sorted.count / 2])
        return abs(low) <= abs(high) ? low : high
    }
}

extension Ledger {
    /// Returns the reading with a corrected wall-clock time. Without a store, the reading is returned unchanged.
    mutating func read(_ now: ClockReading) -> ClockReading {
        guard isShared else { return now }
        let (reading, isSet) = clock.read(now)
        if isSet { for lane in lanes.indices where lanes[lane].isFirst { outbox.lanes.append(lane) } }
        return reading
    }

    /// Returns whether this is the lane that measures the store's clock: the first lane of the first available server.
    func isClockReference(_ lane: Int) -> Bool {
        lanes[lane].isFirst && servers.firstIndex { !$0.isDown } == lanes[lane].server
    }

    /// Handles a reading of the store's clock, and updates the correction of this machine's clock if needed.
    mutating func measured(_ seconds: Int, took: Int, _ now: ClockReading) {
        let (was, before) = (clock.isUnsure, clock.correction)
        clock.measured(storeSeconds: seconds, took: took, at: now)
        let now = ClockReading(wall: now.wall + before - clock.correction, steady: now.steady)
        if clock.isMeasured, let living {
            if isUnderRule(living.account, now) { clock.check([], isAlone: true, at: now) }
            outbox.lanes.append(living.account.lane)
        }
        if clock.isEarly(now) { living?.counter.renew() }
        clockChanged(wasUnsure: was, now)
        if !clock.isUnsure { checkClock(now) }
    }

    /// Writes the remaining clock error into this instance's entries in the store. The error is the corrected time
    /// minus the store's time.
    private mutating func writeClockError(_ now: ClockReading) {
        guard let living, let remaining = clock.remaining else { return }
        living.counter.setClock(milliseconds: remaining / 1_000, aheadMicroseconds: remaining)
        scheduleWrite(living.account, now)
        guard let shareRecord else { return }
        shareRecord.counter.setClock(milliseconds: options.secret?.mark, aheadMicroseconds: remaining)
        scheduleWrite(shareRecord.account, now)
    }

    /// Updates the number of living instances from their entries in the store.
    private mutating func see(_ entries: [SlotRecord.Entry], _ now: ClockReading) {
        // This instance's entry may not be written yet.
        let count = 1 + entries.count { $0.instance != instance }
        let since = fewerInstancesSince ?? now.steady
        let isSure = count >= instancesSeen || now.steady - since >= options.slotMicroseconds / 2
        fewerInstancesSince = isSure ? nil : since
        guard isSure else { return }
        instancesSeen = count
        rank = entries.contains { $0.instance == instance } ? entries.count { $0.instance < instance } : nil
    }

    /// Updates the number of living instances, and compares their clocks with this machine's clock. Call this function
    /// after a read or write of the record of living instances.
    mutating func sawLiving(_ now: ClockReading) {
        if let living {
            see(living.counter.living(at: now.wall), now)
            countInstances(now)
        }
        checkClock(now)
    }

    /// Compares this machine's clock with the clocks of the other living instances, and corrects it if needed.
    mutating func checkClock(_ now: ClockReading) {
        guard let living else { return }
        let (was, before) = (clock.isUnsure, clock.correction)
        let others = living.counter.living(at: now.wall).filter { $0.instance != instance }
        clock.check(
            others.compactMap(\.clockMicroseconds),
            isAlone: others.isEmpty && instancesSeen == 1 && !isUnderRule(living.account, now),
            at: now
        )
        clockChanged(wasUnsure: was, ClockReading(wall: now.wall + before - clock.correction, steady: now.steady))
    }

    /// Writes the clock error to the store, and reports a new correction to the operator. Continues waiting work if the
    /// clock has just been verified.
    /// - Parameter now: the time with the new correction.
    private mutating func clockChanged(wasUnsure: Bool, _ now: ClockReading) {
        writeClockError(now)
        let isNews =
            abs(clock.correction - reportedCorrection) > 1_500_000
            || (clock.correction == 0) != (reportedCorrection == 0)
        if !clock.isUnsure, isNews {
            reportedCorrection = clock.correction
            outbox.events.append(.clockOff(milliseconds: clock.correction / 1_000))
        }
        if wasUnsure, !clock.isUnsure { goOn(now) }
    }

    /// Continues the work of the lanes and requests that waited until the machine's clock was verified.
    private mutating func goOn(_ now: ClockReading) {
        outbox.isReady = true
        for lane in lanes.indices where !lanes[lane].inbox.isEmpty { outbox.lanes.append(lane) }
        let requests = undecided
        undecided = []
        for server in servers.indices {
            for account in servers[server].active.values {
                for part in account.waiting { part.request.movedAt = now.steady }
            }
        }
        for request in requests where request.decision == nil { finish(request, now) }
    }
}
