package import Engine

/// The figures of the process in the last hour, by a look at the counts each minute.
package struct RecentFigures: Sendable {
    /// Two points of a distribution, in milliseconds.
    package struct Percentiles: Sendable, Equatable {
        package let p50: Int
        package let p95: Int
    }

    package struct Provider: Sendable {
        package let name: String
        /// The failures by cause; causes without failures are not listed.
        package let failures: [(cause: String, count: Int)]
        /// The durations from the first call for a request to the end of its response; nil if there was none.
        package let durations: Percentiles?
    }

    /// The times from a request's head to the first byte of its response; nil if there was none.
    package let firstByte: Percentiles?
    package let providers: [Provider]
}

/// The counts at one moment, of all loops.
struct FigureCounts: Sendable {
    var firstBytes = [Int](repeating: 0, count: Buckets.requests.count)
    /// By the numbers of providers: each fault.
    var faults: [[Int]] = []
    var durations: [[Int]] = []

    static func - (now: FigureCounts, before: FigureCounts) -> FigureCounts {
        func difference(_ now: [Int], _ before: [Int]?) -> [Int] {
            guard let before else { return now }
            return zip(now, before).map { max(0, $0 &- $1) }
        }
        func differences(_ now: [[Int]], _ before: [[Int]]) -> [[Int]] {
            now.enumerated().map { difference($1, before.indices.contains($0) ? before[$0] : nil) }
        }
        var counts = FigureCounts()
        counts.firstBytes = difference(now.firstBytes, before.firstBytes)
        counts.faults = differences(now.faults, before.faults)
        counts.durations = differences(now.durations, before.durations)
        return counts
    }
}

/// Remembers the counts of each of the last sixty minutes.
///
/// `@unchecked`: the timer belongs to one loop; the counts are behind a lock.
package final class FigureHistory: TimerTarget, @unchecked Sendable {
    private static let minutes = 60
    private static let minuteNanoseconds: UInt64 = 60_000_000_000

    private let metrics: Metrics
    private let past = Lock<[FigureCounts]>([])
    private let loop: EventLoop
    private lazy var timer = Timer(self)

    /// - Parameter loop: the loop that looks at the counts.
    package init(of metrics: Metrics, on loop: EventLoop) {
        self.metrics = metrics
        self.loop = loop
    }

    /// Looks at the counts each minute from now on. Called on the loop.
    package func begin() { loop.arm(timer, at: loop.now + Self.minuteNanoseconds) }

    package func timerFired() {
        record()
        begin()
    }

    /// Looks at the counts; a minute has passed.
    func record() {
        let counts = metrics.counts()
        past.withLock { past in
            past.append(counts)
            if past.count > Self.minutes { past.removeFirst() }
        }
    }

    /// The figures of the last hour, or since the start. Called on any thread.
    package func figures() -> RecentFigures {
        let hour = metrics.counts() - past.withLock { $0.count < Self.minutes ? FigureCounts() : $0[0] }
        let names = metrics.labels.providers.names
        let providers = names.indices.map { number in
            RecentFigures.Provider(
                name: names[number],
                failures: UpstreamFault.allCases.compactMap { fault in
                    let count = hour.faults[number][fault.rawValue]
                    return count > 0 ? ("\(fault.name)", count) : nil
                },
                durations: RecentFigures.Percentiles(hour.durations[number], Buckets.operations)
            )
        }
        return RecentFigures(
            firstByte: RecentFigures.Percentiles(hour.firstBytes, Buckets.requests),
            providers: providers.filter { !$0.failures.isEmpty || $0.durations != nil }
        )
    }
}

extension RecentFigures.Percentiles {
    /// - Parameter counts: of the buckets, which are times; nil results if all are 0.
    init?(_ counts: [Int], _ buckets: Buckets) {
        let sum = counts.reduce(0, &+)
        guard sum > 0 else { return nil }
        func value(_ part: Double) -> Int {
            let rank = part * Double(sum)
            var below = 0.0
            for (bucket, count) in counts.enumerated() where count > 0 {
                if below + Double(count) >= rank {
                    let low = bucket == 0 ? 0 : Double(buckets.edges[bucket - 1])
                    // The last bucket has no upper edge.
                    let high = bucket < buckets.edges.count ? Double(buckets.edges[bucket]) : low
                    return Int((low + (high - low) * (rank - below) / Double(count)) / 1_000_000)
                }
                below += Double(count)
            }
            return Int(Double(buckets.edges.last ?? 0) / 1_000_000)
        }
        self.init(p50: value(0.5), p95: value(0.95))
    }
}

extension Metrics {
    /// The requests without a complete response.
    package var runningRequests: Int { gauge(.requests) }

    /// The streamed responses that are not complete.
    package var openStreams: Int { gauge(.streams) }

    /// The connections of clients.
    package var openConnections: Int { loops.reduce(0) { $0 + $1.connections.count } }

    /// The counts of all loops now.
    func counts() -> FigureCounts {
        var counts = FigureCounts()
        for route in labels.routes.names.indices {
            let found = self.counts(\.firstBytes, at: route) ?? []
            for bucket in counts.firstBytes.indices where bucket < found.count - 1 {
                counts.firstBytes[bucket] += found[bucket]
            }
        }
        let providers = labels.providers.names.count
        let faults = UpstreamFault.allCases.count
        counts.faults = (0..<providers).map { provider in
            (0..<faults).map { sum(\.faults, at: provider * faults + $0) }
        }
        counts.durations = Array(repeating: Array(repeating: 0, count: Buckets.operations.count), count: providers)
        for (number, series) in operationNumbers.all.enumerated() {
            guard let provider = series.provider, provider < providers,
                let found = self.counts({ $0.operations.calls }, at: number)
            else { continue }
            for bucket in 0..<Buckets.operations.count { counts.durations[provider][bucket] += found[bucket] }
        }
        return counts
    }
}
