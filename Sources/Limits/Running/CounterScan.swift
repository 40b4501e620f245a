/// A copy of one counter, made to save it in the counter file.
struct CounterCopy {
    let key: RecordKey
    let limit: Limit
    let record: Record

    /// The copy, encoded for the counter file.
    var saved: SavedCounter {
        SavedCounter(key: key, windowSeconds: limit.quota.recordSeconds, record: record.encoded())
    }
}

/// A scan that copies the counters for the counter file, a few at a time.
struct CounterScan {
    private var parts: [AccountTable.PartitionKind] =
        [.known, .unregisteredCallers] + (0..<Identity.sessionParts).map { .sessions($0) }
    private var end = Int.max

    /// The maximum number of accounts that one step looks at. Requests wait during a step.
    private static let step = 64

    /// Copies and returns the next counters; nil after the last counter. A counter can be copied twice.
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
