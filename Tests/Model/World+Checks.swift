@testable import Limits

/// The checks of what is promised against the list of decisions.
extension World {
    /// Checks L1 and L8 at each admission.
    func checkAdmission() {
        for subject in subjects {
            if subject.limit.quota.unit == .concurrent { checkSlots(subject) } else { checkWindow(subject) }
        }
    }

    /// Returns the requests that count in the window which ends now.
    private func inWindow(_ limit: Limit) -> [Ask] {
        asks.filter { $0.admittedAt.map { now - $0 < limit.layout.windowMicroseconds } ?? false }
    }

    private func checkWindow(_ subject: Subject) {
        let recent = inWindow(subject.limit)
        let sum = recent.reduce(0) { $0 + $1.units(setting) }
        guard sum > subject.limit.quota.count else { return }
        let allowed = spent.losses == 0 ? 0 : forgotten(recent)
        if sum > subject.limit.quota.count + allowed {
            breaks("L1: \(sum) of \(subject.limit.quota.count) in the window that ends now, \(allowed) allowed besides")
        }
    }

    /// Returns the units that the record may not have held when the last request was written, because it was lost.
    /// These are units known only to instances that have not written since. For a bucket in which the record was lost,
    /// the smaller of the parts before and after the loss counts too, if the later part was written without knowledge
    /// of all of the earlier one.
    private func forgotten(_ recent: [Ask]) -> Int {
        guard let last = recent.max(by: { $0.order < $1.order }) else { return 0 }
        var units = recent.reduce(0) {
            $1.order != last.order && last.seen & 1 << $1.number == 0 ? $0 + $1.units(setting) : $0
        }
        for bucket in Set(recent.map(\.bucket)) {
            let before = recent.filter { $0.bucket == bucket && $0.lossesBefore < spent.losses }
            let mask = before.reduce(0) { $0 | 1 << $1.number }
            let after = recent.filter {
                $0.bucket == bucket && $0.lossesBefore == spent.losses && $0.seen & mask != mask
            }
            units += min(before.reduce(0) { $0 + $1.units(setting) }, after.reduce(0) { $0 + $1.units(setting) })
        }
        return units
    }

    private func checkSlots(_ subject: Subject) {
        let held = asks.reduce(0) { $0 + ($1.isRunning && !instances[$1.instance].isDead ? 1 : 0) }
        if held > subject.limit.quota.count, !isLapsed { breaks("L8: \(held) slots of \(subject.limit.quota.count)") }
    }

    /// Checks L8 if reservations end only by an instance's death: a request is refused only while somebody may hold a
    /// slot.
    func checkRefusal() {
        guard setting.settlements.isEmpty, spent.failures == 0 else { return }
        if asks.contains(where: { ($0.isRunning || !$0.isDecided) && !instances[$0.instance].isDead }) { return }
        let slowest = now + (setting.clocks.min() ?? 0)
        for subject in subjects where subject.limit.quota.unit == .concurrent {
            let ends = instances.map { entry(subject, $0)?.endMilliseconds ?? 0 }
            if ends.allSatisfy({ $0 <= slowest / 1_000 }) { breaks("L8: refused though nobody holds a slot") }
        }
    }

    /// Records whether an instance lets its entry end while requests hold it or are about to. Others may then take its
    /// slots.
    func recordLapse() {
        guard let subject = subjects.first(where: { $0.limit.quota.unit == .concurrent }) else { return }
        let latest = now + (setting.clocks.max() ?? 0)
        for instance in instances where !instance.isDead {
            guard instance.isTaking || asks.contains(where: { $0.isRunning(in: instance) }) else { continue }
            let end = entry(subject, instance)?.endMilliseconds ?? 0
            if end <= latest / 1_000 { isLapsed = true }
        }
    }

    private func entry(_ subject: Subject, _ instance: ModelInstance) -> SlotRecord.Entry? {
        guard case .slots(let record)? = store.items[subject.key]?.record else { return nil }
        return record.entry(of: instance.ledger.instance)
    }

    /// Checks L4 and L8 while nothing is under way: each record holds at least the units admitted under its limit, and
    /// exactly these if all outcomes were known.
    func checkQuiet() {
        let isQuiet =
            asks.allSatisfy { $0.isDecided || instances[$0.instance].isDead } && instances.allSatisfy(\.isQuiet)
        guard isQuiet, spent.losses == 0 else { return }
        for subject in subjects {
            if subject.limit.quota.unit == .concurrent { checkEntries(subject) } else { checkRecord(subject) }
        }
    }

    private func checkEntries(_ subject: Subject) {
        for instance in instances where !instance.isDead {
            let held = asks.count { $0.isRunning(in: instance) }
            let entry = entry(subject, instance)
            if entry?.held ?? 0 != held, !isLapsed {
                breaks("L8: an instance that holds \(held) slots has an entry of \(entry?.held ?? 0)")
            }
        }
    }

    private func checkRecord(_ subject: Subject) {
        guard case .counts(let record)? = store.items[subject.key]?.record else { return }
        let layout = subject.limit.layout
        let (slowest, fastest) = (setting.clocks.min() ?? 0, setting.clocks.max() ?? 0)
        var (least, most) = (0, 0)
        for ask in asks {
            guard let time = ask.admittedAt else { continue }
            if layout.bucket(at: time + slowest) >= record.oldest { least += ask.units(setting) }
            if layout.bucket(at: time + fastest) >= record.oldest { most += ask.units(setting) }
        }
        let held = record.future.reduce(record.total) { $0 + $1.units }
        if held < least { breaks("L4: a record holds \(held) units of \(least) that were admitted") }
        if held > most, spent.deaths == 0, !instances.contains(where: \.hadOutage) {
            breaks("L4: a record holds \(held) units, \(most) were admitted")
        }
    }
}

extension World.Ask {
    /// Returns the units that count: the reserved units, and after the settlement at most the used ones.
    func units(_ setting: Setting) -> Int { isSettled ? min(setting.units, used) : setting.units }

    /// Whether the request was admitted and has not ended.
    var isRunning: Bool { admittedAt != nil && !isSettled }

    func isRunning(in instance: ModelInstance) -> Bool { isRunning && self.instance == instance.number }
}
