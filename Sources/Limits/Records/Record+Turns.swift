/// The turns of waiting requests: room in future buckets that is counted before it is used.
extension Record {
    /// The units in a bucket after the newest one.
    struct FutureBucket: Sendable, Equatable {
        let number: Int
        var units: Int
    }

    /// The largest size of the encoded future buckets. With it, a record and its origin stay below `encodedBound`.
    private static let futureBytes = 1_000

    /// The largest number of buckets by which a future bucket can be after the newest one.
    var futureBound: Int { Self.longestMicroseconds * layout.perWindow / layout.windowMicroseconds + layout.kept }

    /// The longest time for which a request can wait, in microseconds.
    private static let longestMicroseconds = 600_000_000

    /// Returns the earliest bucket in which these units fit without delaying a turn; nil if there is none. Units in a
    /// bucket count with those of the buckets that a record keeps before and after it.
    /// - Parameters:
    ///   - first: the first bucket that can be the turn; buckets before the newest one cannot.
    ///   - last: the last bucket that can be the turn.
    func turn(_ units: Int, of bound: Int, from first: Int = 0, by last: Int = .max) -> Int? {
        guard units <= bound else { return nil }
        var steps = Steps(self)
        var start: Int?
        while true {
            let next = steps.next
            if next > first {
                if steps.sum <= bound - units {
                    let found = start ?? max(steps.bucket, first)
                    if found > last { return nil }
                    if next == .max || next - found >= layout.kept { return found }
                    start = found
                } else {
                    start = nil
                }
            }
            if next == .max || start == nil && next > last { return nil }
            steps.advance()
        }
    }

    /// Returns whether units can be counted in a future bucket, of which a record holds only so many.
    func canCount(in bucket: Int) -> Bool {
        if bucket <= newest || futureCount(in: bucket) > 0 { return true }
        let bytes = future.reduce(0) { $0 + Varint.length($1.number - newest) + Varint.length($1.units) }
        return bucket - newest <= futureBound && bytes < Self.futureBytes - 20
    }

    /// The most units that count together in the newest bucket or a later one up to a window later.
    var peak: Int {
        if future.isEmpty { return total }
        var steps = Steps(self)
        var most = total
        while steps.next < newest + layout.kept {
            steps.advance()
            most = max(most, steps.sum)
        }
        return most
    }

    func futureCount(in bucket: Int) -> Int { future.first { $0.number == bucket }?.units ?? 0 }

    mutating func changeFuture(_ bucket: Int, to count: Int) {
        let index = future.firstIndex { $0.number >= bucket } ?? future.count
        let isThere = index < future.count && future[index].number == bucket
        if count == 0 {
            if isThere { future.remove(at: index) }
        } else if isThere {
            future[index].units = count
        } else {
            future.insert(FutureBucket(number: bucket, units: count), at: index)
        }
    }

    /// Counts the units of future buckets that have come.
    mutating func countFuture() {
        let come = future.prefix { $0.number <= newest }
        future.removeFirst(come.count)
        for bucket in come { change(bucket.number, to: count(in: bucket.number) + bucket.units) }
    }

    /// The sums of the units that count together, from the newest bucket on.
    private struct Steps {
        private let record: Record
        /// The first bucket with the present sum.
        private(set) var bucket: Int
        private(set) var sum: Int
        /// The oldest bucket in the sum that is not a future one, and has units.
        private var past: Int
        /// The number of future buckets that have come into the sum.
        private var come = 0
        /// The number of future buckets that have left the sum.
        private var gone = 0

        init(_ record: Record) {
            self.record = record
            bucket = record.newest
            sum = record.total
            past = max(0, record.oldest)
            skipEmpty()
        }

        private mutating func skipEmpty() {
            while past <= record.newest, record.count(in: past) == 0 { past += 1 }
        }

        /// The first bucket with another sum; `.max` if there is none.
        var next: Int {
            let kept = record.layout.kept
            var next = come < record.future.count ? record.future[come].number : Int.max
            if past <= record.newest {
                next = min(next, past + kept)
            } else if gone < come {
                next = min(next, record.future[gone].number + kept)
            }
            return next
        }

        mutating func advance() {
            let kept = record.layout.kept
            bucket = next
            while past <= record.newest, past + kept <= bucket {
                sum -= record.count(in: past)
                past += 1
                skipEmpty()
            }
            while gone < come, record.future[gone].number + kept <= bucket {
                sum -= record.future[gone].units
                gone += 1
            }
            while come < record.future.count, record.future[come].number <= bucket {
                sum += record.future[come].units
                come += 1
            }
        }
    }
}
