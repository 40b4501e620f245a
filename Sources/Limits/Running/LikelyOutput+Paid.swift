extension LikelyOutput {
    /// The output that a reservation pays, in tokens.
    package struct Paid: Sendable {
        package let reserved: Int
        /// The tokens that the reservation pays beside these if the prompt has its usual price, not its dearest one.
        package let spare: Int
        /// The tokens that were free beside the reservation after the last decision.
        package let free: Int
        /// The limit that pays least.
        package let limit: Limit
    }

    /// Returns the output that the held units pay: those of budgets or, without a budget, those of rates. Returns nil
    /// without either.
    /// - Parameter used: the amounts that earlier calls of the request have used.
    package func paid(by held: [ReservedUnits], after used: Amounts) -> Paid? {
        let hasBudget = held.contains { $0.limit.quota.isBudget }
        var tightest: Paid?
        for (index, first) in held.enumerated() where !held[..<index].contains(where: { $0.limit == first.limit }) {
            let quota = first.limit.quota
            guard let need = self[quota.unit], quota.isBudget == hasBudget else { continue }
            var (left, free) = (-used[quota.unit], 0)
            for units in held[index...] where units.limit == first.limit {
                left += units.units
                free = units.free
            }
            let reserved = need.output(reserving: left, likely: likely)
            let spared = max(reserved, need.output(paidBy: left - need.usualPrompt))
            let most = spared + need.output(paidBy: free)
            guard let other = tightest else {
                tightest = Paid(reserved: reserved, spare: spared - reserved, free: most - spared, limit: first.limit)
                continue
            }
            let (least, leastSpared) = (min(reserved, other.reserved), min(spared, other.reserved + other.spare))
            tightest = Paid(
                reserved: least,
                spare: leastSpared - least,
                free: min(most, other.reserved + other.spare + other.free) - leastSpared,
                limit: other.reserved <= reserved ? other.limit : first.limit
            )
        }
        return tightest
    }
}
