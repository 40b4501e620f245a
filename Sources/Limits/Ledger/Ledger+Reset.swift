/// Limits that an operator has reset to unused.
extension Ledger {
    /// The time after a reset in which a decision may still be one from before it.
    private static let resetMicroseconds = 1_000_000

    /// Forgets what this instance knows about a record that was reset: its copy, its lease, units to be moved, and
    /// refusals. The next request reads the record.
    mutating func forget(_ account: Account, at now: Moment) {
        let now = read(now)
        corrections &+= 1
        account.known = nil
        account.refusedUntil = 0
        account.fullAt = nil
        account.ruleUntil = 0
        account.remembersFrom = now.steady + Self.resetMicroseconds
        account.tally.reset(at: now.wall)
        if isShared { servers[account.server].owing[account.key] = nil }
    }

    /// Returns the account of a claim; nil if this instance knows nothing about it.
    mutating func account(of claim: Claim, at now: Moment) -> Account? { existing(claim, now) }

    /// Returns the use of each claim's limit as this instance knows it.
    mutating func uses(_ claims: [Claim], at now: Moment) -> [LimitUse] {
        let now = read(now)
        return claims.map { claim in
            let standing = account(of: claim, at: now)?.tally.standing(by: nil, at: now.wall)
            let used = claim.limit.quota.count - (standing?.remaining ?? claim.limit.quota.count)
            return LimitUse(
                limit: claim.limit,
                used: max(0, used),
                leased: 0,
                resetMicroseconds: standing?.resetMicroseconds ?? 0,
                isRecorded: used > 0
            )
        }
    }

    /// Returns the number of requests that wait for a decision about each claim's limit.
    mutating func waiting(_ claims: [Claim], at now: Moment) -> [Int] {
        claims.map { account(of: $0, at: now)?.waitingParts ?? 0 }
    }
}
