/// The reset of limits by an operator, which sets their use to 0.
extension Ledger {
    /// The time after a limit's reset in which the limit's refusals are not remembered, in microseconds.
    private static let resetMicroseconds = 1_000_000

    /// Forgets what this instance knows about a record that an operator reset.
    mutating func forget(_ account: Account, at now: ClockReading) {
        let now = read(now)
        corrections &+= 1
        account.known = nil
        account.former = nil
        account.refusedUntil = 0
        account.fullAt = nil
        account.ruleUntil = 0
        account.remembersFrom = now.steady + Self.resetMicroseconds
        account.counter.reset(at: now.wall)
        let sleepers = account.sleepers
        for request in sleepers { forgetTurn(request, account) }
        guard isShared else {
            for request in sleepers { decideAnew(request, now) }
            return callHeld(account, now)
        }
        servers[account.server].owing[ObjectIdentifier(account)] = nil
        // The version of the empty record shows that it is newer than copies of it from before.
        if !servers[account.server].isDown { compare(account) }
    }

    /// Reads again the records of which an operator gave something back.
    mutating func compare(_ found: [Account]) {
        for account in found where !servers[account.server].isDown {
            corrections &+= 1
            account.refusedUntil = 0
            compare(account)
        }
    }

    /// Returns the account of a charge; nil if this instance knows nothing about this limit.
    mutating func account(of charge: LimitCharge, at now: ClockReading) -> Account? { existing(charge, now) }

    /// Returns the use of each charge's limit as this instance knows it.
    mutating func uses(_ charges: [LimitCharge], at now: ClockReading) -> [LimitUse] {
        let now = read(now)
        return charges.map { charge in
            let counter = account(of: charge, at: now)?.counter
            let standing = counter?.standing(by: nil, at: now.wall)
            let count = charge.limit.quota.count
            var used = count - (standing?.remaining ?? count)
            // More may have been used than the limit permits.
            if used >= count, let share = counter?.usedShare(at: now.wall) {
                used = max(used, Int((share * Double(count)).rounded()))
            }
            return LimitUse(
                limit: charge.limit,
                used: max(0, used),
                leased: 0,
                resetMicroseconds: standing?.resetMicroseconds ?? 0,
                isRecorded: used > 0,
                births: (counter as? WindowCounter)?.birth.map { [$0] } ?? []
            )
        }
    }

    /// Returns, for each charge, the number of requests that wait for a decision about the charge's limit.
    mutating func waiting(_ charges: [LimitCharge], at now: ClockReading) -> [Int] {
        charges.map { account(of: $0, at: now)?.waitingParts ?? 0 }
    }
}
