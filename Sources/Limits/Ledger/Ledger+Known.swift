extension Ledger {
    /// Returns a refusal if one of the charges' limits is known to be full; otherwise nil. Counts no units.
    mutating func knownRefusal(_ charges: [LimitCharge], at now: ClockReading) -> Decision? {
        let now = read(now)
        let full = charges.compactMap { charge in
            existing(charge, now).flatMap { account in
                isKnownFull(account, charge.units, now: now)
                    ? Pending.Share(account, charge, isShared ? .unread : .local) : nil
            }
        }
        return full.isEmpty ? nil : refused(full, now)
    }

    /// Returns the used part of the fullest limit of the charges: 0 for nothing, 1 for all units. Each waiting request
    /// counts as one used unit.
    mutating func knownShare(_ charges: [LimitCharge], at now: ClockReading) -> Double {
        let now = read(now)
        return charges.reduce(0) { share, charge in
            guard let account = existing(charge, now) else { return share }
            let waiting = Double(account.waitingParts) / Double(charge.limit.quota.count)
            return max(share, account.counter.usedShare(at: now.wall) + waiting)
        }
    }

    /// Returns the used units of each charge's limit, as far as this instance knows them.
    mutating func used(_ charges: [LimitCharge], at now: ClockReading) -> [Int] {
        let now = read(now)
        return charges.map { charge in
            let account = existing(charge, now)
            let free = account?.counter.standing(by: nil, at: now.wall).remaining
            return free.map { charge.limit.quota.count - min($0, charge.limit.quota.count) } ?? 0
        }
    }

    /// Returns whether at least one of the charges' limits is known to be full.
    mutating func isKnownFull(_ charges: [LimitCharge], at now: ClockReading) -> Bool {
        let now = read(now)
        return charges.contains { charge in
            existing(charge, now).map { account in isKnownFull(account, charge.units, now: now) } ?? false
        }
    }

    /// Returns the account of a charge; nil if this process has neither an account nor a saved counter.
    mutating func existing(_ charge: LimitCharge, _ now: ClockReading) -> Account? {
        let key = RecordKey(charge.limit, charge.identity)
        if let account = accounts.use(key, AccountTable.PartitionKind(charge)) {
            account.use(charge.limit)
            return account
        }
        return saved.contains(key, charge.limit) ? account(charge, now) : nil
    }

    /// Reports the use of a budget in dollars or credits if another percentage of it is used than at the last report.
    /// - Parameter left: what is left for a request that was refused; nil if none was. Only a budget that is used up is
    ///   reported then.
    mutating func report(budget account: Account, left: Int? = nil, _ now: ClockReading) {
        let (limit, count) = (account.limit, account.limit.quota.count)
        guard limit.quota.isBudget, limit.quota.unit != .tokens, !limit.kind.isNamedByClients else { return }
        if let left, !limit.quota.isUsedUp(withLeft: left) { return }
        let counted = Int((account.counter.usedShare(at: now.wall) * Double(count)).rounded())
        let used = max(0, left.map { count - $0 } ?? 0, counted - account.heldUnits(at: now.wall))
        let percent = left != nil ? 100 : used * 100 / count
        guard percent != account.reportedPercent else { return }
        account.reportedPercent = percent
        let reset = account.counter.standing(by: nil, at: now.wall).resetMicroseconds
        outbox.events.append(
            .budgetUsed(
                BudgetUse(
                    record: account.key.name,
                    limit: limit,
                    used: used,
                    percent: percent,
                    resetMicroseconds: reset
                )
            )
        )
    }

    /// A number that changes whenever a counter changes. It shows whether the counters must be saved again.
    var changes: Int {
        let kinds = Limit.Kind.names.indices
        return kinds.reduce(corrections) { $0 &+ metrics.decisions($1, .admitted) }
    }

    private func isKnownFull(_ account: Account, _ units: Int, now: ClockReading) -> Bool {
        guard !isShared || account.refusedUntil > now.steady, ruleNow(account, now) == nil else { return false }
        return !account.counter.hasRoom(for: units, at: now.wall)
    }
}
