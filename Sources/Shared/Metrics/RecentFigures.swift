package import Engine

/// The figures of the last hour on the admin pages, such as response times and failures.
package struct RecentFigures: Sendable {
    package struct Provider: Sendable {
        package let name: String
        /// The number of the provider's failures for each cause that occurred.
        package let failures: [(cause: String, count: Int)]
        /// The times from a request's admission to the end of its response; nil without upstream calls.
        package let durations: Percentiles?
    }

    /// The times from a request's head to the response's first byte; nil if there were no requests.
    package let firstByte: Percentiles?
    package let providers: [Provider]
}

/// The counts from which `RecentFigures` are computed: response times and failures, added up over all event loops.
struct FigureCounts: Sendable {
    var firstBytes = [Int](repeating: 0, count: Buckets.requests.count)
    /// The number of failures by provider, then by kind of failure.
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

/// A history of response times and failures in the last sixty minutes, recorded once a minute.
///
/// `@unchecked`: the timer belongs to one loop, and the counts are protected by a lock.
package final class FigureHistory: TimerTarget, @unchecked Sendable {
    private static let minutes = 60
    private static let minuteNanoseconds: UInt64 = 60_000_000_000

    private let metrics: Metrics
    private let past = Lock<[FigureCounts]>([])
    private let loop: EventLoop
    private lazy var timer = Timer(self)

    package init(of metrics: Metrics, on loop: EventLoop) {
        self.metrics = metrics
        self.loop = loop
    }

    /// Starts to record response times and failures once a minute. Call it on the event loop.
    package func begin() { loop.arm(timer, at: loop.now + Self.minuteNanoseconds) }

    package func timerFired() {
        record()
        begin()
    }

    /// Adds the present counts of response times and failures to the history. Removes counts that are older than sixty
    /// minutes.
    func record() {
        let counts = metrics.counts()
        past.withLock { past in
            past.append(counts)
            if past.count > Self.minutes { past.removeFirst() }
        }
    }

    /// Returns the response times and failures of the last hour, or since the start if later. Any thread may call it.
    package func figures() -> RecentFigures {
        let hour = metrics.counts() - past.withLock { $0.count < Self.minutes ? FigureCounts() : $0[0] }
        return RecentFigures(hour, providers: metrics.labels.providers.names)
    }
}

extension RecentFigures {
    /// Creates the figures from the response times and failures that were counted in a span of time. Providers without
    /// any are left out.
    init(_ counts: FigureCounts, providers names: [String]) {
        firstByte = Percentiles(counts.firstBytes, Buckets.requests)
        providers = zip(names, zip(counts.faults, counts.durations)).compactMap { name, provider in
            let (faults, durations) = (provider.0, Percentiles(provider.1, Buckets.operations))
            let failures = zip(UpstreamFault.allCases, faults).compactMap { fault, count in
                count > 0 ? (fault.rawValue, count) : nil
            }
            return failures.isEmpty && durations == nil
                ? nil : Provider(name: name, failures: failures, durations: durations)
        }
    }
}

extension Metrics {
    /// The number of requests in progress, without those of the relay's own pages.
    package var runningRequests: Int { max(0, gauge(.requests) - gauge(.requestsOfPages)) }

    /// The number of streamed responses in progress.
    package var openStreams: Int { gauge(.streams) }

    package var openConnections: Int { loops.reduce(0) { $0 + $1.connections.count } }

    /// Returns the current counts of response times and failures, added up over all loops.
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
