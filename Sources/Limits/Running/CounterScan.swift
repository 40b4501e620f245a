/// A copy of one counter.
struct CounterCopy {
    let key: RecordKey
    let limit: Limit
    let record: Record

    /// The counter as the file of counters holds it.
    var saved: SavedCounter {
        SavedCounter(key: key, windowSeconds: limit.quota.windowSeconds, record: record.encoded())
    }
}

/// Copies the counters that outlive the process, a few at a time: those of windows of a minute and more. Slots, logins
/// and wrong keys are left out.
struct CounterScan {
    private var parts: [AccountTable.PartitionKind] = [.known, .unregisteredCallers]
    private var end = Int.max

    /// The number of accounts that are looked at in one step, while requests wait.
    private static let step = 64

    /// Returns the copies of the next accounts; nil after the last one.
    ///
    /// A counter may be copied twice if others are forgotten between two steps.
    mutating func next(of accounts: borrowing AccountTable) -> [CounterCopy]? {
        guard let part = parts.last else { return nil }
        var copies: [CounterCopy] = []
        copies.reserveCapacity(Self.step)
        end = accounts.visit(part, below: end, atMost: Self.step) { account in
            let quota = account.limit.quota
            guard quota.unit != .concurrent, quota.windowSeconds >= Quota.TimeUnit.minute.rawValue,
                let counter = account.counter as? WindowCounter
            else { return }
            copies.append(CounterCopy(key: account.key, limit: account.limit, record: counter.record))
        }
        if end == 0 {
            parts.removeLast()
            end = .max
        }
        return copies
    }
}
