import Support

@testable import Limits

/// A relay without memcached that saves its counters, crashes, ends and starts again: real ledgers and real files, in
/// virtual time, from one seed.
package final class LoneRelay {
    /// A fault put in on purpose, which the judge must find.
    package enum Plant: CaseIterable, Sendable {
        /// A crash loses the whole file.
        case fileLost
        /// Counters are saved every ten seconds.
        case savedRarely
        /// The last counters are not saved at the end.
        case endUnsaved
        /// Counters ahead of the clock are dropped.
        case aheadDropped
        /// A clock that is behind the machine's is not allowed for.
        case behindForgotten
        /// A refund from before a crash is made once more after it.
        case refundedTwice
    }

    private struct OpenHold {
        let subject: Int
        let index: Int
        let held: [ReservedUnits]
    }

    private struct Refund {
        let subject: Int
        let units: Int
        let bucket: BucketIndex
        let time: Int
    }

    /// The result of a run.
    package struct Report: Sendable {
        package fileprivate(set) var breaches: [Breach] = []
        package fileprivate(set) var admitted = 0
        package fileprivate(set) var refused = 0
        package fileprivate(set) var crashes = 0
        /// Units that crashes lost.
        package fileprivate(set) var lost = 0
    }

    private var report = Report()
    private let plant: Plant?
    private let timeline: Timeline
    private let subjects: [Subject]
    private var dice: Seeded
    private var ledger: Ledger
    /// The content of the file of counters; nil if there is none.
    private var file: [UInt8]?
    /// Tells processes apart, so that nothing of an earlier one happens later; even while none runs.
    private var process = 1
    /// The distances of the machine's clock and of the process's from true time.
    private var machineOffset = 0
    private var processOffset = 0
    private var savedChanges = 0
    private var savedBehind = 0
    /// When the machine's clock was set last.
    private var setAt = 0
    private var holds: [OpenHold] = []
    private var refunds: [Refund] = []
    private var crashedAt: [Int] = []

    /// Longer than the longest limit of a run that is to have a few windows.
    private static let windows = 4
    private static let savePauseMicroseconds = 1_500_000
    private static let writeMicroseconds = 500_000
    private static let lostMicroseconds = 2_000_000

    /// Runs one seed.
    package static func run(seed: Int, plant: Plant? = nil) -> Report { LoneRelay(seed: seed, plant: plant).report }

    private init(seed: Int, plant: Plant?) {
        var dice = Seeded(UInt64(bitPattern: Int64(seed)))
        _ = dice.next()
        self.plant = plant
        let start = 1_800_000_000_000_000 + dice.below(86_400_000_000)
        timeline = Timeline(at: start)
        let seconds = dice.pick([60, 61, 300, 900])
        let quotas = [
            Quota(dice.pick([3, 10, 60]), per: .second, times: seconds),
            Quota(dice.pick([100, 10_000]), .tokens, per: .second, times: seconds),
            Quota(dice.pick([2, 20]), per: .second, times: seconds * 2),
        ]
        subjects = quotas.enumerated()
            .map { number, quota in
                let kind: Limit.Kind = number == 2 ? .total : .caller(.chat)
                return Subject(number, Limit(kind, quota), .knownKey(named: "\(number)"), isExclusive: false)
            }
        ledger = Ledger(store: nil, options: LimiterOptions(), random: Seeded(dice.next()))
        self.dice = dice
        timeline.end = start + Self.windows * seconds * 1_000_000
        begin()
        timeline.run()
        judge()
        checkThatAllFallsFree()
    }

    private var now: ClockReading { ClockReading(wall: timeline.now + processOffset, steady: timeline.now) }

    // MARK: The process

    private func begin() {
        processOffset = machineOffset
        ledger = Ledger(store: nil, options: LimiterOptions(), random: Seeded(dice.next()))
        savedChanges = 0
        savedBehind = 0
        if let file, let read = try? CounterFile(file), var saved = try? SavedCounters(read, at: now.wall) {
            if plant == .aheadDropped, saved.movedBack > 0 { saved = SavedCounters() }
            ledger.saved = saved
        }
        if plant == .refundedTwice { repeatRefunds() }
        request()
        save(at: timeline.now + Self.savePauseMicroseconds)
        end()
    }

    private func repeatRefunds() {
        for refund in refunds where refund.time > timeline.now - 10 * Self.lostMicroseconds {
            let subject = subjects[refund.subject]
            ledger.account(LimitCharge(subject.limit, subject.identity), now).counter
                .giveBack(refund.units, in: refund.bucket, at: now.wall)
        }
    }

    /// Something that happens in this process only.
    private func at(_ time: Int, _ body: @escaping () -> Void) {
        let number = process
        timeline.at(time) { if self.process == number { body() } }
    }

    /// Sooner or later each process crashes or ends, and after a while the next one starts.
    private func end() {
        let pause = dice.pick([1_000_000, 5_000_000, 60_000_000, 600_000_000])
        at(timeline.now + 1_000 + dice.below(pause)) { self.endNow() }
        guard dice.below(3) == 0 else { return }
        // The machine's clock is set while the process runs.
        let offset = dice.pick([0, 0, 1_000_000, 20_000_000, 3_600_000_000, -3_600_000_000])
        at(timeline.now + dice.below(pause)) {
            self.machineOffset = offset
            self.setAt = self.timeline.now
        }
    }

    private func endNow() {
        // The file has to say that the clock was set.
        if timeline.now - setAt <= Self.lostMicroseconds {
            return at(setAt + Self.lostMicroseconds + 1) { self.endNow() }
        }
        if dice.below(3) == 0 { return stop() }
        report.crashes += 1
        crashedAt.append(timeline.now)
        if plant == .fileLost { file = nil }
        restart()
    }

    private func stop() {
        while !holds.isEmpty { settleOne() }
        if plant != .endUnsaved {
            var scan = CounterScan()
            var copies: [CounterCopy] = []
            while let some = scan.next(of: ledger.accounts) { copies += some }
            file = encoded(copies)
        }
        restart()
    }

    private func restart() {
        process += 1
        holds = []
        // The clock of a machine that was ahead may be right again when the next process starts.
        if machineOffset > 0, dice.below(2) == 0 { machineOffset = 0 }
        timeline.at(timeline.now + dice.pick([1_000, 300_000, 20_000_000])) {
            self.process += 1
            self.begin()
        }
    }

    // MARK: Saving

    private func save(at time: Int) {
        let pause = plant == .savedRarely ? 10_000_000 : Self.savePauseMicroseconds
        at(time) {
            let changes = self.ledger.changes
            let isSet = self.machineOffset - self.processOffset != self.savedBehind
            if changes != self.savedChanges || isSet { self.copy(CounterScan(), [], changes) }
            self.save(at: self.timeline.now + pause)
        }
    }

    /// Requests come between two steps, and while the file is written.
    private func copy(_ scan: CounterScan, _ copies: [CounterCopy], _ changes: Int) {
        var scan = scan
        if let some = scan.next(of: ledger.accounts) {
            at(timeline.now + dice.below(1_000)) { self.copy(scan, copies + some, changes) }
            return
        }
        at(timeline.now + dice.below(Self.writeMicroseconds)) {
            self.file = self.encoded(copies)
            self.savedChanges = changes
            self.savedBehind = self.machineOffset - self.processOffset
        }
    }

    private func encoded(_ copies: [CounterCopy]) -> [UInt8] {
        let used = copies.filter { $0.record.total > 0 }.map(\.saved)
        let keys = Set(copies.map(\.key))
        let behind = plant == .behindForgotten ? 0 : machineOffset - processOffset
        return CounterFile(behindMicroseconds: behind, used + ledger.saved.counters.filter { !keys.contains($0.key) })
            .encoded()
    }

    // MARK: Requests

    private func request() {
        let pause = dice.pick([1_000, 50_000, 500_000, subjects[0].window / 20])
        at(timeline.now + dice.below(pause)) {
            for _ in 0...self.dice.below(4) { self.ask() }
            if self.dice.below(3) == 0 { self.settleOne() }
            self.request()
        }
    }

    private func ask() {
        let numbers = dice.pick([[0], [1], [2], [0, 1], [1, 2]])
        let units = numbers.map { $0 == 1 ? 1 + dice.below(subjects[1].bound / 2) : 1 }
        let charges = zip(numbers, units).map { LimitCharge(subjects[$0].limit, subjects[$0].identity, units: $1) }
        let response = ledger.ask(charges, at: now) { preconditionFailure("nothing is waited for without a store") }
        guard case .decided(let decision) = response, decision.isAdmitted else {
            report.refused += 1
            return
        }
        report.admitted += 1
        for (number, units) in zip(numbers, units) {
            if number == 1 {
                holds.append(
                    OpenHold(subject: 1, index: subjects[1].admissions.count, held: decision.held)
                )
            }
            let time = timeline.now
            subjects[number].admissions.append(
                Subject.Admission(askedAt: time, time: time, wall: now.wall, instance: 0, units: units)
            )
        }
    }

    private func settleOne() {
        guard !holds.isEmpty else { return }
        let reservation = holds.remove(at: dice.below(holds.count))
        let subject = subjects[reservation.subject]
        let units = subject.admissions[reservation.index].units
        let used = dice.below(units + 1)
        ledger.settle(reservation.held, Amounts(tokens: used), at: now)
        subject.admissions[reservation.index].used = used
        subject.admissions[reservation.index].settledAt = timeline.now
        if let bucket = reservation.held.first?.bucket {
            refunds.append(
                Refund(subject: reservation.subject, units: units - used, bucket: bucket, time: timeline.now)
            )
        }
    }

    // MARK: The judge

    /// A crash loses what was admitted within the two seconds before it, and nothing else is ever admitted above the
    /// limit.
    private func judge() {
        for subject in subjects {
            let all = subject.admissions
            let isLost = all.map { admission in
                crashedAt.contains { admission.time <= $0 && admission.time > $0 - Self.lostMicroseconds }
            }
            report.lost += zip(all, isLost).reduce(0) { $0 + ($1.1 ? $1.0.units : 0) }
            for index in all.indices {
                let time = all[index].time
                var sum = all[index].units
                for other in (0..<index).reversed() {
                    if time - all[other].time >= subject.window { break }
                    if !isLost[other] { sum += all[other].counts(at: time) }
                }
                guard sum > subject.bound, report.breaches.count < 20 else { continue }
                let text = "\(subject.limit.id): \(sum) units in the window that ends at \(time)"
                report.breaches.append(Breach(promise: "L1", text: text))
            }
        }
    }

    /// No counter stays in the future: a window and two buckets later all units are free again.
    private func checkThatAllFallsFree() {
        for subject in subjects {
            let time = now.wall + subject.window + 3 * subject.bucket
            let charges = [LimitCharge(subject.limit, subject.identity, units: subject.bound)]
            let response = ledger.ask(charges, at: ClockReading(wall: time, steady: timeline.now)) {
                preconditionFailure("a store")
            }
            if case .decided(let decision) = response, decision.isAdmitted { continue }
            report.breaches.append(Breach(promise: "L2", text: "\(subject.limit.id): units never fall free"))
        }
    }
}
