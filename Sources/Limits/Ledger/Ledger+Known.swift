extension Ledger {
    /// Returns a refusal if a limit is known to be full, without counting or calling the store; nil if the request must
    /// be decided.
    mutating func knownRefusal(_ claims: [Claim], at now: Moment) -> Decision? {
        let now = read(now)
        let full = claims.compactMap { claim in
            existing(claim, now).flatMap { account in
                isKnownFull(account, claim.units, now)
                    ? Pending.Share(account: account, units: claim.units, state: isShared ? .unread : .local) : nil
            }
        }
        return full.isEmpty ? nil : refused(full, now)
    }

    /// Returns the largest known used share of the claims' limits. Waiting requests count as one admitted unit each;
    /// otherwise many requests at the same time would see the same share.
    mutating func knownShare(_ claims: [Claim], at now: Moment) -> Double {
        let now = read(now)
        return claims.reduce(0) { share, claim in
            guard let account = existing(claim, now) else { return share }
            let waiting = Double(account.waitingParts) / Double(claim.limit.quota.count)
            return max(share, account.tally.usedShare(at: now.wall) + waiting)
        }
    }

    /// Returns the used units of each claim's limit, as far as this instance knows them.
    mutating func used(_ claims: [Claim], at now: Moment) -> [Int] {
        let now = read(now)
        return claims.map { claim in
            let account = existing(claim, now)
            let free = account?.tally.standing(by: nil, at: now.wall).remaining
            return free.map { claim.limit.quota.count - min($0, claim.limit.quota.count) } ?? 0
        }
    }

    /// Returns whether a limit of the claims is known to be full.
    mutating func isKnownFull(_ claims: [Claim], at now: Moment) -> Bool {
        let now = read(now)
        return claims.contains { claim in
            existing(claim, now).map { account in
                isKnownFull(account, claim.units, now)
            } ?? false
        }
    }

    /// Returns the account of a claim; nil if neither this process has used it nor an earlier one has saved it.
    mutating func existing(_ claim: Claim, _ now: Moment) -> Account? {
        let key = RecordKey(claim.limit, claim.identity)
        if let account = accounts.use(key, AccountTable.Part(claim)) { return account }
        return saved.contains(key) ? account(claim, now) : nil
    }

    /// A number that is another one after each change of a counter.
    var changes: Int {
        let places = Limit.Kind.places.indices
        return places.reduce(corrections) { $0 &+ metrics.decisions($1, .admitted) }
    }

    private func isKnownFull(_ account: Account, _ units: Int, _ now: Moment) -> Bool {
        guard !isShared || account.refusedUntil > now.steady, ruleNow(account, now) == nil else { return false }
        return !account.tally.hasRoom(for: units, at: now.wall)
    }
}
