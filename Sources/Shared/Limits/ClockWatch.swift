/// How far this machine's clock is off, and what is made of it. Differences are in microseconds, ours less the store's.
struct ClockWatch {
    /// When to measure next (steady).
    private(set) var measureAt = 0
    private(set) var difference: Int?
    /// Taken off the machine's clock.
    private(set) var correction = 0

    /// Clocks further off than that are not left to themselves.
    static let toleranceMicroseconds = 3_000_000
    static let intervalMicroseconds = 60_000_000

    func corrected(_ now: Moment) -> Moment {
        correction == 0 ? now : Moment(wall: now.wall - correction, steady: now.steady)
    }

    /// The store's seconds are late by up to one and a half. `now` is corrected.
    mutating func measured(storeSeconds: Int, took: Int, at now: Moment) {
        measureAt = now.steady + Self.intervalMicroseconds
        let store = storeSeconds.multipliedReportingOverflow(by: 1_000_000)
        guard !store.overflow else { return }
        difference = now.wall + correction - took / 2 - (store.partialValue + 750_000)
    }

    /// Judges by the differences of all instances, this one's among them. Says the new correction if it is another one.
    mutating func judge(_ all: [Int]) -> Int? {
        guard let difference, let median = Self.median(all) else { return nil }
        let distance = difference - median
        guard abs(distance - correction) > Self.toleranceMicroseconds else { return nil }
        correction = abs(distance) > Self.toleranceMicroseconds ? distance : 0
        return correction
    }

    /// Of an even number, of the two in the middle the one nearer to the store.
    private static func median(_ all: [Int]) -> Int? {
        guard !all.isEmpty else { return nil }
        let sorted = all.sorted()
        let (low, high) = (sorted[(sorted.count - 1) / 2], sorted[sorted.count / 2])
        return abs(low) <= abs(high) ? low : high
    }
}

extension Ledger {
    /// Writes the difference of our clock into our entry among the living instances.
    mutating func tellClock(_ now: Moment) {
        guard let living, let difference = clock.difference else { return }
        living.tally.tell(
            clockMilliseconds: difference / 1_000,
            aheadMicroseconds: difference - clock.correction
        )
        settleSoon(living.account, now)
    }

    /// Fewer count only after a while: when the store has lost its records, others have yet to write their entries anew.
    private mutating func see(instances: Int, _ now: Moment) {
        let since = fewerInstancesSince ?? now.steady
        let isSure = instances >= instancesSeen || now.steady - since >= options.slotMicroseconds / 2
        if isSure { instancesSeen = instances }
        fewerInstancesSince = isSure ? nil : since
    }

    /// Our entry among the living was written: all others' are known.
    mutating func judgeClock(_ now: Moment) {
        guard let living else { return }
        let entries = living.tally.living(at: now.wall)
        see(instances: max(1, entries.count), now)
        let before = clock.correction
        let correction = clock.judge(entries.compactMap { $0.clockMilliseconds.map { $0 * 1_000 } })
        guard let correction else { return }
        outbox.events.append(.clockOff(milliseconds: correction / 1_000))
        tellClock(Moment(wall: now.wall + before - correction, steady: now.steady))
    }
}
