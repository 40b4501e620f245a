import Engine

/// The average usage and pace of each model's last hundred responses in this process: of each caller, and of all
/// callers. Each ten minutes without a response halve the averages of the usage, down to a minimum.
package final class RecentUsageAverages: Sendable {
    private struct Row {
        var completions = RecentNumbers()
        var credits = RecentNumbers()
        /// The times until the first output, and the times and tokens of the output after it.
        var (waits, outputTimes, outputTokens) = (RecentNumbers(), RecentNumbers(), RecentNumbers())
        /// The prices of prompt tokens, in nanodollars for a million.
        var promptPrices = RecentNumbers()
        /// The seconds of recordings.
        var seconds = RecentNumbers()
        /// The bytes of output for a thousand tokens.
        var bytes = RecentNumbers()
        /// The wall-clock time of the model's last response, in microseconds.
        var recordedAt = 0

        /// Returns the number of times that the averages have halved since the model's last response.
        func halvings(at now: Int) -> Int {
            let (age, isTooLarge) = now.subtractingReportingOverflow(recordedAt)
            return isTooLarge ? 0 : min(max(0, age) / RecentUsageAverages.halfLifeMicroseconds, Int.bitWidth - 2)
        }

        /// Adds the averages that `means` does not have yet.
        func add(to means: inout Means, at now: Int) {
            let halvings = halvings(at: now)
            means.knownCompletion =
                means.knownCompletion
                ?? completions.mean(afterHalvings: halvings, downTo: RecentUsageAverages.firstCompletion)
            means.knownCredits =
                means.knownCredits ?? credits.mean(afterHalvings: halvings, downTo: RecentUsageAverages.firstCredits)
            means.promptPrice = means.promptPrice ?? promptPrices.mean
            means.bytesPerThousand = means.bytesPerThousand ?? bytes.mean
            means.knownSeconds = means.knownSeconds ?? seconds.mean
        }
    }

    /// A model, with the caller whose responses a row averages; nil for all callers.
    private struct Key: Hashable {
        let model: String
        let caller: Identity?
    }

    private let rows = Lock(RecentTable<Key, Row>())
    private let now: @Sendable () -> Int

    private static let rowBound = 2_048
    private static let halfLifeMicroseconds = 600_000_000
    /// The completion tokens that are assumed for a model without a response so far.
    package static let firstCompletion = 1_000
    /// The credits that are assumed for a model without a response so far.
    package static let firstCredits = 100
    /// The seconds that are assumed for a recording of a model without a response so far.
    package static let firstSeconds = 60
    /// The fewest completion tokens that are likely.
    private static let leastLikely = 256

    /// The figures of a successful call, from which the averages follow; nil for those that it did not show.
    package struct Lesson: Sendable {
        package var completionTokens: Int?
        package var credits: Int?
        /// The price of the prompt, in nanodollars for a million tokens.
        package var promptPrice: Int?
        /// The bytes of output for a thousand tokens.
        package var bytesPerThousand: Int?
        /// The seconds of the recording.
        package var seconds: Int?

        package init(completionTokens: Int? = nil, credits: Int? = nil) {
            self.completionTokens = completionTokens
            self.credits = credits
        }
    }

    /// - Parameter now: returns the wall-clock time in microseconds.
    package init(now: @escaping @Sendable () -> Int) { self.now = now }

    /// Records the usage of a successful call of a model.
    /// - Parameter caller: the caller; nil if it is anonymous.
    package func record(_ model: String, by caller: Identity?, _ lesson: Lesson) {
        let now = now()
        rows.withLock { rows in
            func add(to row: inout Row) {
                let halvings = row.halvings(at: now)
                row.completions.halve(halvings, downTo: Self.firstCompletion)
                row.credits.halve(halvings, downTo: Self.firstCredits)
                row.recordedAt = now
                if let tokens = lesson.completionTokens { row.completions.add(tokens) }
                if let credits = lesson.credits { row.credits.add(credits) }
                if let price = lesson.promptPrice { row.promptPrices.add(price) }
                if let bytes = lesson.bytesPerThousand { row.bytes.add(bytes) }
                if let seconds = lesson.seconds { row.seconds.add(seconds) }
            }
            for who in caller == nil ? [nil] : [nil, caller] {
                let key = Key(model: model, caller: who)
                if rows.withValue(of: key, add) != nil { continue }
                var row = Row()
                add(to: &row)
                rows.set(key, row, atMost: Self.rowBound)
            }
        }
    }

    /// Records how fast a streamed response of a model arrived, after `record` has recorded its usage.
    /// - Parameters:
    ///   - wait: the time from the call to the first output, in milliseconds.
    ///   - output: the time from the first output to the end, in milliseconds.
    ///   - tokens: the tokens that arrived in this time.
    ///   - hidden: the tokens that the model had written before the first output, but that did not arrive.
    package func recordPace(of model: String, wait: Int, output: Int, tokens: Int, hidden: Int) {
        // An output that arrived at once does not show how fast it was written.
        guard output >= 100, tokens > 0 else { return }
        rows.withLock { rows in
            _ = rows.withValue(of: Key(model: model, caller: nil)) { row in
                let hiddenOutput = Double(hidden) * Double(output) / Double(tokens)
                row.waits.add(wait - Int(min(hiddenOutput, Double(wait))))
                row.outputTimes.add(output)
                row.outputTokens.add(tokens)
            }
        }
    }

    /// Returns the average pace of the model's streamed responses to all callers.
    package func pace(of model: String) -> OutputPace {
        rows.withLock { rows in
            rows.withValue(of: Key(model: model, caller: nil)) { row in
                guard let wait = row.waits.mean, let output = row.outputTimes.mean, let tokens = row.outputTokens.mean
                else { return nil }
                return OutputPace(waitMilliseconds: wait, tokensPerSecond: 1_000 * Double(tokens) / Double(output))
            } ?? nil
        } ?? OutputPace()
    }

    /// Returns the averages of a model's recent responses.
    /// - Parameter caller: the caller, whose own averages come first; nil if it is anonymous.
    package func means(of model: String, for caller: Identity? = nil) -> Means {
        let now = now()
        return rows.withLock { rows in
            var means = Means()
            func add(_ who: Identity?) {
                _ = rows.withValue(of: Key(model: model, caller: who)) { $0.add(to: &means, at: now) }
            }
            if caller != nil { add(caller) }
            add(nil)
            return means
        }
    }
}

extension RecentUsageAverages {
    /// The averages of a model's recent responses to a caller; those to all callers where the caller has none.
    package struct Means: Sendable {
        fileprivate var knownCompletion: Int?
        /// The credits of one call; nil if the vendor has reported none.
        package fileprivate(set) var knownCredits: Int?
        /// The price of a prompt, in nanodollars for a million tokens; nil if unknown.
        package fileprivate(set) var promptPrice: Int?
        /// The bytes of a thousand tokens of output; nil if unknown.
        package fileprivate(set) var bytesPerThousand: Int?
        fileprivate var knownSeconds: Int?

        package var completionTokens: Int { knownCompletion ?? RecentUsageAverages.firstCompletion }

        package var credits: Int { knownCredits ?? RecentUsageAverages.firstCredits }

        /// The seconds of a recording.
        package var seconds: Int { knownSeconds ?? RecentUsageAverages.firstSeconds }

        /// The completion tokens that a response is likely to have at most: twice the average.
        package var likelyTokens: Int {
            knownCompletion.map { max(RecentUsageAverages.leastLikely, 2 * $0) } ?? RecentUsageAverages.firstCompletion
        }
    }
}

/// The last hundred numbers that were added, and their sum.
private struct RecentNumbers {
    private var numbers: [Int] = []
    private var next = 0
    private var sum = 0

    private static let kept = 100
    /// The largest value that is stored; larger numbers count as this value.
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

    /// Returns the average, halved `halvings` times; nil if there are no numbers. Halving never goes below `least`.
    func mean(afterHalvings halvings: Int, downTo least: Int) -> Int? {
        guard let mean else { return nil }
        return mean <= least ? mean : max(least, mean >> halvings)
    }

    /// Replaces all numbers with their average, halved `halvings` times but not below `least`.
    mutating func halve(_ halvings: Int, downTo least: Int) {
        guard halvings > 0, let mean, let halved = self.mean(afterHalvings: halvings, downTo: least), halved < mean
        else { return }
        self = RecentNumbers()
        add(halved)
    }

    /// The average, rounded up and at least 1; nil if there are no numbers.
    var mean: Int? { numbers.isEmpty ? nil : max(1, (sum + numbers.count - 1) / numbers.count) }
}

package struct OutputPace: Sendable, Equatable {
    /// The time from a call to its first output, in milliseconds.
    package var waitMilliseconds = 0
    package var tokensPerSecond = 50.0

    /// Returns the tokens that a model has written at this pace when a call ends without a report of its usage.
    /// - Parameters:
    ///   - milliseconds: the time since the call.
    ///   - reserved: the largest result, in tokens.
    package func tokens(after milliseconds: Int, atMost reserved: Int) -> Int {
        let seconds = (Double(milliseconds) - Double(waitMilliseconds)) / 1_000
        return Int(max(0, min(seconds * tokensPerSecond, Double(reserved))))
    }
}
