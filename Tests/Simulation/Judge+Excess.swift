@testable import Limits

/// The excess over a limit, and the shortening of intervals, that the schedule of a run explains.
extension Judge {
    /// Returns by how much intervals may be shorter than a window, in microseconds. Clocks that are set by up to three
    /// seconds are followed, which shortens intervals by as much. Clocks with a larger error are corrected by the
    /// store's clock, with an accuracy of one and a half seconds: three seconds in all.
    func shortening(_ subject: Subject, _ time: Int) -> Int {
        let first = time - 2 * subject.window
        var offsets = 0...0
        var isFirst = true
        for member in members where member.startedAt <= time && member.diedAt > first {
            let range = member.clock.offsets(from: max(first, member.startedAt), to: time)
            offsets =
                isFirst
                ? range : min(range.lowerBound, offsets.lowerBound)...max(range.upperBound, offsets.upperBound)
            isFirst = false
        }
        var small = 0
        let farthest = max(offsets.upperBound - offsets.lowerBound, offsets.upperBound, -offsets.lowerBound)
        var isFar = farthest > Self.followedMicroseconds
        for step in steps where step.time > first && step.time <= time {
            if abs(step.by) > Self.followedMicroseconds { isFar = true } else { small += abs(step.by) }
        }
        let near = min(Self.followedMicroseconds, max(small, offsets.upperBound - offsets.lowerBound))
        return isFar ? 3_000_000 + small : near
    }

    private static let followedMicroseconds = 3_000_000

    /// Returns the units of the window before an admission that an instance had admitted but not yet written when it
    /// was killed, or when it was stopped or cut off from the store for a window.
    func debts(_ subject: Subject, _ end: Int, _ first: Int) -> Int {
        let all = subject.admissions
        let time = all[end].time
        var units = 0
        let server = scenario.ring.server(of: subject.storeKey)
        let isNear = { (end: Int) in end <= time && end > time - 2 * subject.window }
        let isLong = { (began: Int, ended: Int) in ended - began >= subject.window * 7 / 8 }
        for (instance, member) in members.enumerated() {
            var ends = member.stops.filter { isLong($0.began, $0.ended) }.map(\.began)
            if member.diedAt < .max { ends.append(member.diedAt) }
            let cuts = troubles.filter {
                $0.instance == instance && $0.server == server && isLong($0.began, $0.ended)
            }
            for admission in all[first...end] where admission.instance == instance {
                // Units that an instance may have admitted by a rule while it was cut off are allowed for separately.
                let isByRule = admission.isByRule && scenario.rule != .deny
                let moments = isByRule ? ends : ends + cuts.map(\.failedAt)
                let isDebt = moments.contains {
                    isNear($0) && admission.time <= $0 && isOwed(subject, admission, at: $0)
                }
                if isDebt { units += admission.units }
            }
        }
        return units
    }

    /// Returns whether an admission was not in the record at a time, as far as the schedule shows.
    private func isOwed(_ subject: Subject, _ admission: Subject.Admission, at end: Int) -> Bool {
        let own = subject.exchanges.filter { $0.instance == admission.instance && $0.isWritten && $0.time <= end }
        if own.contains(where: { $0.sentAt >= admission.time }) { return false }
        if admission.isByRule { return true }
        // An admission that was written in the bucket in which it was decided is not a debt.
        guard let last = own.last(where: { $0.time <= admission.time }) else { return true }
        let layout = subject.limit.layout
        return layout.bucket(at: wall(of: admission.instance, at: last.sentAt))
            != layout.bucket(at: wall(of: admission.instance, at: admission.time))
    }

    /// Returns the excess that the rule `share` allows (§6). It is at most the mean, over the instances, of the units
    /// of others that each had not yet seen (all of them if it has no copy), and one unit an instance for rounding. An
    /// instance that is cut off alone adds at most its part. Of the others, only units between the last response that
    /// an instance saw before the outage and its first write afterwards count, and none of their present parts: those of
    /// the last outage in which each has admitted something.
    func sharedExcess(_ subject: Subject, _ end: Int, _ first: Int) -> Int {
        let all = subject.admissions
        var excess = unacquainted(subject, end, first).count * subject.bound
        var divided: [Int: Int] = [:]
        for index in (first...end).reversed() where all[index].isByRule && divided[all[index].instance] == nil {
            divided[all[index].instance] = outage(subject, all[index]).lostAt
        }
        for instance in 0..<instanceCount {
            let own = subject.exchanges.filter { $0.instance == instance }
            // The last admission of each outage, by the time at which the store was last read before it.
            var lasts: [Int: Subject.Admission] = [:]
            for index in first...end where all[index].instance == instance && all[index].isByRule {
                let began = outage(subject, all[index]).began
                lasts[own.last { $0.heardAt < began }?.time ?? 0] = all[index]
            }
            for (known, last) in lasts {
                let joined = own.first { $0.isWritten && $0.sentAt >= last.time }?.time ?? .max
                var unseen = 0
                for other in all[first...end] where other.instance != instance && other.time <= joined {
                    let isOfPart = other.isByRule && other.time > divided[other.instance] ?? .max
                    if isOfPart, !isTakenByStore(subject, other) { continue }
                    if isSeenSince(subject, other) > known { unseen += other.units }
                }
                let parts = scenario.countedInstances ?? instancesKnown(to: instance, at: last.time)
                excess += (unseen + parts - 1) / parts + 1
            }
        }
        return excess
    }

    /// Returns whether a write brought the units to the store before they were admitted. An instance may lose the store
    /// right after that.
    private func isTakenByStore(_ subject: Subject, _ admission: Subject.Admission) -> Bool {
        subject.exchanges.contains {
            $0.instance == admission.instance && $0.isWritten && $0.sentAt >= admission.askedAt
                && $0.heardAt <= admission.time
        }
    }

    /// Returns when the outage began in which an instance decided, and by when the instance had divided what was left. A
    /// server that is lost within two seconds after it is back is so in the same outage.
    private func outage(_ subject: Subject, _ admission: Subject.Admission) -> (began: Int, lostAt: Int) {
        let server = scenario.ring.server(of: subject.storeKey)
        var (began, lostAt) = (admission.time, admission.time - 100_000)
        for trouble in troubles.sorted(by: { $0.began > $1.began })
        where trouble.instance == admission.instance && (trouble.server == server || trouble.subject == subject.number)
        {
            let end = trouble.server == nil ? trouble.ended : min(trouble.ended, .max - 2_000_000) + 2_000_000
            if trouble.began < began, end > lostAt { (began, lostAt) = (trouble.began, trouble.lostAt) }
        }
        return (began, lostAt)
    }

    /// Returns the time from which others could read of an admission.
    private func isSeenSince(_ subject: Subject, _ admission: Subject.Admission) -> Int {
        guard admission.isByRule else { return admission.time }
        return subject.exchanges.first {
            $0.instance == admission.instance && $0.isWritten && $0.sentAt >= admission.time
        }?.time ?? .max
    }

    /// Returns how many instances this instance must know to be alive: those that wrote their entry before it last read
    /// all entries.
    private func instancesKnown(to instance: Int, at time: Int) -> Int {
        guard let last = members[instance].living.last(where: { $0.heardAt <= time })?.time else { return 1 }
        let since = max(losses.last { $0 <= last } ?? 0, last - scenario.slotMicroseconds * 2 / 3)
        var count = 1
        for (other, member) in members.enumerated() where other != instance && member.diedAt > last {
            if member.living.contains(where: { $0.isWritten && $0.time <= last && $0.time > since }) { count += 1 }
        }
        return count
    }
}
