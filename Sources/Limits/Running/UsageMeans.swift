import Engine

/// The means of the last hundred answers of each model that this process saw: the amount that the next one is
/// reserved. Asked and told only where some limit counts tokens, money or credits.
///
/// A mean that is not corrected by an answer halves every ten minutes, down to what a new model has: one wrong number, after
/// which no request is admitted, does not count for ever.
package final class UsageMeans: Sendable {
    private struct Row {
        var completions = Recent()
        var credits = Recent()
        /// The wall clock at the last answer, in microseconds.
        var notedAt = 0

        /// Returns how often the means have halved since then.
        func halvings(at now: Int) -> Int {
            let (age, isTooLarge) = now.subtractingReportingOverflow(notedAt)
            return isTooLarge ? 0 : min(max(0, age) / UsageMeans.halfLifeMicroseconds, Int.bitWidth - 2)
        }
    }

    private let rows = Lock(RecentTable<String, Row>())
    private let now: @Sendable () -> Int

    private static let modelBound = 1_024
    private static let halfLifeMicroseconds = 600_000_000
    /// Of a model that has not answered yet.
    package static let firstCompletion = 1_000
    package static let firstCredits = 100

    /// - Parameter now: the wall clock in microseconds.
    package init(now: @escaping @Sendable () -> Int) { self.now = now }

    /// A call was answered in full. `credits`: as the vendor reported them.
    package func note(_ model: String, completionTokens: Int, credits: Int?) {
        let now = now()
        rows.withLock { rows in
            var row = rows.use(model) ?? Row()
            let halvings = row.halvings(at: now)
            row.completions.halve(halvings, downTo: Self.firstCompletion)
            row.credits.halve(halvings, downTo: Self.firstCredits)
            row.notedAt = now
            row.completions.add(completionTokens)
            if let credits { row.credits.add(credits) }
            rows.set(model, row)
            if rows.count > Self.modelBound, let oldest = rows.leastRecent { _ = rows.remove(oldest.key) }
        }
    }

    /// Credits of one call; nil: the vendor has told of none.
    package func credits(of model: String) -> Int? {
        guard let row = rows.withLock({ $0.use(model) }) else { return nil }
        return row.credits.mean(afterHalvings: row.halvings(at: now()), downTo: Self.firstCredits)
    }

    /// Of one call: tokens of its answer, and credits.
    package func expected(of model: String) -> (completionTokens: Int, credits: Int) {
        guard let row = rows.withLock({ $0.use(model) }) else { return (Self.firstCompletion, Self.firstCredits) }
        let halvings = row.halvings(at: now())
        let completion = row.completions.mean(afterHalvings: halvings, downTo: Self.firstCompletion)
        let credits = row.credits.mean(afterHalvings: halvings, downTo: Self.firstCredits)
        return (completion ?? Self.firstCompletion, credits ?? Self.firstCredits)
    }
}

/// The last hundred of some numbers.
private struct Recent {
    private var numbers: [Int] = []
    private var next = 0
    private var sum = 0

    private static let kept = 100
    /// Keeps the sum from overflowing.
    private static let most = Quota.countBound

    mutating func add(_ number: Int) {
        let number = min(max(0, number), Self.most)
        sum += number
        if numbers.count < Self.kept {
            numbers.append(number)
        } else {
            sum -= numbers[next]
            numbers[next] = number
            next = (next + 1) % Self.kept
        }
    }

    /// Returns the mean after so many halvings, none of which leads below `least`; nil: of nothing.
    func mean(afterHalvings halvings: Int, downTo least: Int) -> Int? {
        guard let mean else { return nil }
        return mean <= least ? mean : max(least, mean >> halvings)
    }

    /// Starts over with the halved mean, if the halved mean is smaller.
    mutating func halve(_ halvings: Int, downTo least: Int) {
        guard halvings > 0, let mean, let halved = self.mean(afterHalvings: halvings, downTo: least), halved < mean
        else { return }
        self = Recent()
        add(halved)
    }

    /// Rounded up, at least 1; nil: of nothing.
    private var mean: Int? { numbers.isEmpty ? nil : max(1, (sum + numbers.count - 1) / numbers.count) }
}
