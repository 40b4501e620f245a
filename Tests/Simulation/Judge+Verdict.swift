@testable import Limits

/// The checks that are only possible when a run is over.
extension Judge {
    func conclude(_ servers: [SimulatedServer]) {
        settleTroubles()
        for subject in subjects {
            if subject.isSlots {
                checkSlots(subject)
                continue
            }
            for resets in 0...subject.resets.count { checkBound(subject, after: resets) }
            checkResets(subject)
            if scenario.kind == .shared { checkShared(subject) }
            if scenario.rule != .allow { for instance in 0..<instanceCount { checkOwn(subject, instance) } }
            if !hasFailures, !hasDeaths { checkCharges(subject) }
            if scenario.isCalm { checkUtilisation(subject) }
            let server = servers[scenario.ring.server(of: subject.storeKey)]
            let isKnown =
                server.isUp && server.hangsUntil < loadEnd && scenario.isTimeSound
                && !members.contains { $0.stops.contains { $0.ended > loadEnd } }
            if isKnown { checkRecord(subject, server.value(subject.storeKey)) }
        }
    }

    /// Calls `body` with each admission that counts, and with the units of the interval that ends with it. Intervals
    /// are as long as a window, less what `shortening` returns for their end. Intervals without length are skipped.
    func windows(
        _ subject: Subject,
        where isCounted: (Subject.Admission) -> Bool,
        _ body: (_ end: Int, _ first: Int, _ sum: Int) -> Void
    ) {
        guard !scenario.isTimeSound else { return windows(subject, subject.window, where: isCounted, body) }
        let shortenings = subject.admissions.map { shortening(subject, $0.time) }
        for shortening in Set(shortenings).sorted() where shortening < subject.window {
            windows(subject, subject.window - shortening, where: isCounted) { end, first, sum in
                if shortenings[end] == shortening { body(end, first, sum) }
            }
        }
    }

    private func windows(
        _ subject: Subject,
        _ length: Int,
        where isCounted: (Subject.Admission) -> Bool,
        _ body: (_ end: Int, _ first: Int, _ sum: Int) -> Void
    ) {
        let all = subject.admissions
        var (first, sum, settled) = (0, 0, 0)
        for end in all.indices where isCounted(all[end]) {
            let time = all[end].time
            while settled < subject.settlements.count, all[subject.settlements[settled]].settledAt <= time {
                let other = subject.settlements[settled]
                settled += 1
                if other >= first, other < end, isCounted(all[other]) {
                    sum -= all[other].units - all[other].counts(at: time)
                }
            }
            sum += all[end].counts(at: time)
            while time - all[first].time >= length {
                if isCounted(all[first]) { sum -= all[first].counts(at: time) }
                first += 1
            }
            if all[end].units > 0 { body(end, first, sum) }
        }
    }

    /// A limit that was reset is free again: callers who always want more get most of it, soon after all have heard.
    private func checkResets(_ subject: Subject) {
        let patience = 2_000_000
        for (number, reset) in subject.resets.enumerated() where reset.heardBy + patience < loadEnd {
            let units = subject.admissions.reduce(0) { sum, admission in
                let isLater = subject.resetsBefore(admission) == number + 1
                return isLater && admission.time <= reset.heardBy + patience ? sum + admission.units : sum
            }
            // Units that were used beyond reservations, or moved by who had not heard yet, keep some out.
            let least = subject.settlements.isEmpty ? subject.bound * 3 / 4 : subject.bound / 2
            if units < least {
                let found = "\(units) of \(subject.bound) units after the reset at \(reset.time)"
                breach("reset", "\(subject.storeKey): \(found)")
            }
        }
    }

    /// Checks L1; also L6 where an instance had to decide alone, and L7 where a record was lost.
    ///
    /// - Parameter resets: of admissions after so many resets of the limit. Leases from before a reset are spent after
    ///   it.
    private func checkBound(_ subject: Subject, after resets: Int) {
        let leased = resets > 0 && subject.limit.quota.unit == .requests ? subject.bound / 10 : 0
        windows(subject, where: { subject.resets.isEmpty || subject.resetsBefore($0) == resets }) {
            end,
            first,
            sum in
            let sum = sum - leased
            guard sum > subject.bound else { return }
            let time = subject.admissions[end].time
            let span = time - 2 * subject.window...time
            let isTroubled = (0..<instanceCount).contains { self.isTroubled($0, subject, span) }
            var allowed = 0
            if isTroubled {
                switch scenario.rule {
                case .allow, .local: return
                case .share: allowed += sharedExcess(subject, end, first)
                case .deny: break
                }
            }
            if !subject.losses.isEmpty { allowed += forgotten(subject, end, first) }
            allowed += debts(subject, end, first)
            let over = sum - subject.bound - allowed
            guard over > 0 else { return }
            excess = max(excess, over)
            breach(
                !subject.losses.isEmpty ? "L7" : isTroubled && scenario.rule == .share ? "L6" : "L1",
                "\(subject.storeKey): \(sum) units in the window that ends at \(time), \(allowed) allowed besides"
            )
        }
    }

    /// Returns the units of the window before an admission that the record may not know because it was lost.
    private func forgotten(_ subject: Subject, _ end: Int, _ first: Int) -> Int {
        let all = subject.admissions
        let time = all[end].time
        // The earliest time at which it was counted in the record: a lease lasts a second.
        let counted =
            all[end].askedAt - (subject.limit.quota.unit == .requests && subject.bound >= 80 ? 1_000_000 : 0)
        guard let lastLoss = subject.losses.last(where: { $0 <= time }) else { return 0 }
        let back = Set(
            subject.exchanges.filter { $0.isWritten && $0.time > lastLoss && $0.time <= counted }.map(\.instance)
        )
        var units = 0
        var isForgotten = [Bool](repeating: false, count: end - first)
        for loss in subject.losses where loss <= time && loss > time - subject.window {
            let known = subject.exchanges.last { $0.time <= loss && back.contains($0.instance) }?.time ?? 0
            let margin = 2 * subject.bucket + scenario.spread + 4 * scenario.weather.delay.upperBound
            var (before, after) = (0, 0)
            for other in first..<end {
                let admission = all[other]
                if admission.time > known, admission.time <= loss + margin { isForgotten[other - first] = true }
                if admission.time > loss - margin, admission.time <= loss { before += admission.units }
                if admission.time > loss, admission.time <= loss + margin { after += admission.units }
            }
            units += min(before, after)
        }
        for other in first..<end where isForgotten[other - first] { units += all[other].units }
        return units
    }

    /// Checks that an instance alone never admits more than N, unless its rule is to admit all.
    private func checkOwn(_ subject: Subject, _ instance: Int) {
        guard subject.resets.isEmpty else { return }
        windows(subject, where: { $0.instance == instance }) { end, _, sum in
            guard sum > subject.bound else { return }
            breach(
                "L6",
                "\(subject.storeKey): instance \(instance) alone admitted \(sum) in the window that ends at "
                    + "\(subject.admissions[end].time)"
            )
        }
    }

    /// Checks that units used beyond reservations keep others out once they can be known.
    private func checkCharges(_ subject: Subject) {
        guard !subject.settlements.isEmpty, subject.losses.isEmpty, subject.resets.isEmpty, scenario.isCalm else {
            return
        }
        let delay = 100_000 + 100 * scenario.weather.delay.upperBound
        windows(subject, where: { _ in true }) { end, _, sum in
            let time = subject.admissions[end].time
            var charged = 0
            for other in subject.settlements {
                let admission = subject.admissions[other]
                guard admission.settledAt <= time - delay, admission.settledAt > time - subject.window else { continue }
                charged += max(0, (admission.used ?? 0) - admission.units)
            }
            if charged > 0, sum + charged > subject.bound {
                breach(
                    "L1",
                    "\(subject.storeKey): \(charged) units used beyond reservations kept nobody out at \(time)"
                )
            }
        }
    }

    /// Checks L2 over every number of whole windows.
    private func checkUtilisation(_ subject: Subject) {
        guard subject.isSaturated, let first = subject.firstAsk else { return }
        let promised = subject.limit.quota.windowSeconds < 60 ? 0.96 : 0.98
        var (next, sum, windows) = (0, 0, 1)
        while first + windows * subject.window <= loadEnd {
            while next < subject.admissions.count,
                subject.admissions[next].time < first + windows * subject.window
            {
                sum += subject.admissions[next].units
                next += 1
            }
            let part = Double(sum) / Double(windows * subject.bound)
            utilisation = min(utilisation ?? 1, part)
            if part < promised { breach("L2", "\(subject.storeKey): \(part) of N over \(windows) windows") }
            windows += 1
        }
    }

    /// Checks L4: the record holds the admitted units, no more and no fewer.
    private func checkRecord(_ subject: Subject, _ value: [UInt8]?) {
        guard subject.losses.isEmpty, subject.resets.isEmpty else { return }
        let layout = subject.limit.layout
        // All clocks are between true time and `ahead` later. Corrected clocks may drift together.
        let (behind, ahead) =
            scenario.spread > 2_000_000
            ? (scenario.spread + 3_000_000, scenario.spread + 3_000_000) : (0, scenario.spread)
        var record: Record?
        if let value {
            do throws(Record.ReadError) {
                record = try Record(value, layout)
            } catch {
                return breach("L4", "\(subject.storeKey): the record is broken, \(error.rawValue)")
            }
        }
        let oldest = record?.oldest ?? layout.bucket(at: endedAt - subject.window)
        // A call that hangs keeps units admitted by the rule from being written.
        let isWritten = !hasFailures && scenario.weather.hangs == 0
        var (least, most) = (0, 0)
        for admission in subject.admissions {
            let units = admission.counts(at: .max)
            if !admission.isByRule || isWritten, layout.bucket(at: admission.time - behind) >= oldest {
                least += units
            }
            if layout.bucket(at: admission.time + ahead) >= oldest { most += units }
            guard admission.settledAt < .max else { continue }
            let excess = max(0, (admission.used ?? 0) - admission.units)
            if isWritten, layout.bucket(at: admission.settledAt - behind) >= oldest { least += excess }
            if layout.bucket(at: admission.settledAt + ahead) >= oldest { most += excess }
        }
        // The units of the last turns are in future buckets if nobody has written the record since.
        let held = (record?.total ?? 0) + (record?.future.reduce(0) { $0 + $1.units } ?? 0)
        if held < least, !hasDeaths || !hasFailures {
            breach("L4", "\(subject.storeKey): the record holds \(held) units of \(least) admitted")
        }
        if held > most, !hasFailures, !hasDeaths {
            breach("L4", "\(subject.storeKey): the record holds \(held) units, \(most) were admitted")
        }
    }
}
