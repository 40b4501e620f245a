import Engine
import Support
import Testing

@testable import Shared

@Suite struct RecentFiguresTests {
    private static func metrics() -> Metrics {
        Metrics(MetricLabels(routes: ["/a"], models: ["m"], providers: ["p", "q"]), loops: 2, others: [])
    }

    private static func count(_ milliseconds: [Int], in metrics: Metrics, on loop: Int = 0) {
        for time in milliseconds {
            metrics.loops[loop].count(
                LoopMetrics.EndCounts(
                    route: 1,
                    model: "m",
                    status: 200,
                    durationNanoseconds: UInt64(time) * 1_000_000,
                    firstByteNanoseconds: UInt64(time) * 1_000_000,
                    promptTokens: 0,
                    completionTokens: 0
                )
            )
        }
    }

    @Test("figures are of the last hour, or since the start")
    func hour() {
        let metrics = Self.metrics()
        let history = FigureHistory(of: metrics, on: EventLoop())
        #expect(history.figures().firstByte == nil && history.figures().providers.isEmpty)
        Self.count(Array(repeating: 20, count: 50) + Array(repeating: 200, count: 50), in: metrics)
        metrics.loops[0].count(.rateLimited, of: "q")
        for _ in 0..<59 { history.record() }
        let first = history.figures()
        #expect(first.firstByte?.p50 == 25 && first.firstByte?.p95 == 235)
        #expect(first.providers.map(\.name) == ["q"])
        #expect(
            first.providers[0].failures.map(\.cause) == ["refused_rate_limit"]
                && first.providers[0].failures[0].count == 1
        )
        // An hour later they are forgotten.
        history.record()
        Self.count([7], in: metrics)
        let next = history.figures()
        #expect(next.providers.isEmpty && next.firstByte?.p50 == 7)
    }

    @Test("a provider that a reload adds after the counts were read has no figures yet")
    func addedProvider() {
        let metrics = Self.metrics()
        metrics.loops[0].count(.rateLimited, of: "q")
        let figures = RecentFigures(metrics.counts(), providers: metrics.labels.providers.names + ["added"])
        #expect(figures.providers.map(\.name) == ["q"])
    }

    @Test("percentiles stay within the edges of their buckets")
    func percentiles() {
        let last = Buckets.requests.count - 1
        for bucket in 0...last {
            var counts = [Int](repeating: 0, count: Buckets.requests.count)
            counts[bucket] = 3
            let found = Percentiles(counts, .requests)
            let high = bucket == last ? 300_000 : Int(Buckets.requests.edges[bucket] / 1_000_000)
            let low = bucket == 0 ? 0 : Int(Buckets.requests.edges[bucket - 1] / 1_000_000)
            #expect(found.map { low <= $0.p50 && $0.p50 <= $0.p95 && $0.p95 <= high } == true)
        }
        #expect(Percentiles([0, 0], .requests) == nil)
    }
}
