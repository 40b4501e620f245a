@testable import Limits

/// The checks of concurrency limits, and of limits that all instances divide.
extension Judge {
    /// Checks L8: there are never more than N requests at a time, and none is refused without need. Slots of a dead
    /// instance are occupied no longer than its entry lasts.
    func checkSlots(_ subject: Subject) {
        guard !hasFailures else { return }
        let margin = 1_200_000 + 100 * scenario.weather.delay.upperBound
        let lasting = scenario.slotMicroseconds + scenario.spread + 2_000_000
        var running: [(time: Int, change: Int)] = []
        var seen: [(time: Int, change: Int)] = []
        for admission in subject.admissions {
            let death = members[admission.instance].diedAt
            running.append((admission.time, admission.units))
            running.append((min(admission.settledAt, death), -admission.units))
            seen.append((admission.askedAt, admission.units))
            // The end of a request just before its instance died may not have been written.
            let isOwn = death == .max || admission.settledAt < death - margin
            seen.append(((isOwn ? admission.settledAt : min(death, .max / 2) + lasting) + margin, -admission.units))
        }
        // A request that ends makes room for one that begins at the same time.
        running.sort { ($0.time, $0.change) < ($1.time, $1.change) }
        var sum = 0
        for (time, change) in running {
            sum += change
            guard sum > subject.bound else { continue }
            excess = max(excess, sum - subject.bound)
            breach("L8", "\(subject.storeKey): \(sum) at the same time at \(time)")
        }
        seen.sort { $0.time < $1.time }
        for refusal in subject.refusals {
            var (now, most) = (0, 0)
            for (time, change) in seen where time <= refusal.time {
                now += change
                if time >= refusal.askedAt { most = max(most, now) }
                if time < refusal.askedAt { most = now }
            }
            if max(most, now) + refusal.units > subject.bound { continue }
            breach("L8", "\(subject.storeKey): refused at \(refusal.time) though no more than \(most) were running")
        }
    }

    /// Checks the rule `share` (§6) where all instances lost the store at the same time. The excess is at most the
    /// units of others that each had not yet seen, and one unit an instance.
    func checkShared(_ subject: Subject) {
        guard let began = hangBegan else { return }
        windows(subject, where: { _ in true }) { end, first, sum in
            let all = subject.admissions
            guard sum > subject.bound, all[end].time > began else { return }
            var unseen = 0
            for instance in 0..<instanceCount {
                let known = subject.exchanges.last { $0.instance == instance && $0.time <= began }?.time ?? 0
                for other in first...end where all[other].time <= began && all[other].time > known {
                    if all[other].instance != instance { unseen += all[other].units }
                }
            }
            // If all instances know each other and nothing was used before, the parts sum to N.
            let isExact = all[first].time > began && isRanked(at: began) && isUnused(subject, before: began)
            let allowed =
                (unseen + instanceCount - 1) / instanceCount + (isExact ? 0 : instanceCount)
                + unacquainted(subject, end, first).count * subject.bound
            if sum - subject.bound > allowed {
                excess = max(excess, sum - subject.bound - allowed)
                breach(
                    "L6",
                    "\(subject.storeKey): \(sum) units in the window that ends at \(all[end].time), \(allowed) allowed besides"
                )
            }
        }
    }

    /// Returns whether each instance has read the entries of all.
    private func isRanked(at time: Int) -> Bool {
        let firsts = members.map { $0.living.first { $0.isWritten && $0.time <= time }?.time ?? .max }
        guard let last = firsts.max(), last < .max, losses.isEmpty, !hasDeaths else { return false }
        return members.allSatisfy { $0.living.contains { $0.time > last && $0.time <= time } }
    }

    /// Returns the instances that admitted something in the window before they reached the store. Each of them may
    /// admit the whole limit.
    func unacquainted(_ subject: Subject, _ end: Int, _ first: Int) -> [Int] {
        if scenario.countedInstances != nil { return [] }
        return members.indices.filter { instance in
            let reached = members[instance].living.map(\.heardAt).min() ?? .max
            return subject.admissions[first...end].contains { $0.instance == instance && $0.time < reached }
        }
    }

    private func isUnused(_ subject: Subject, before time: Int) -> Bool {
        !subject.admissions.contains { $0.time <= time }
    }
}
