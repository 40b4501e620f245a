import CLinux
import Engine
import Glibc
import Testing

@testable import Shared

@Suite struct MetricsTests {
    private func metrics(_ loops: Int = 1, models: [String] = ["m1", "m2"]) -> Metrics {
        let labels = MetricLabels(routes: ["/a", "/b"], models: models, providers: ["p"], callers: ["team", "idle"])
        return Metrics(labels, loops: loops, others: [])
    }

    private func text(_ source: any MetricsSource) -> String {
        var text = MetricsText()
        source.write(to: &text)
        return text.body.text
    }

    private func lines(_ source: any MetricsSource, of name: String) -> [String] {
        text(source).split(separator: "\n").filter { $0.hasPrefix(name) }.map { String($0) }
    }

    private func ended(
        _ route: Int = 1,
        _ model: String? = nil,
        _ status: Int = 200,
        seconds: Double = 0,
        caller: String? = nil,
        tokens: (Int, Int) = (0, 0),
        picodollars: Int? = nil
    ) -> LoopMetrics.EndCounts {
        LoopMetrics.EndCounts(
            route: route,
            model: model,
            status: status,
            durationNanoseconds: UInt64(seconds * 1e9),
            firstByteNanoseconds: status == 499 ? nil : UInt64(seconds * 1e9),
            caller: caller,
            promptTokens: tokens.0,
            completionTokens: tokens.1,
            cost: picodollars.map { Cost(picodollars: $0) }
        )
    }

    @Test("known callers are counted by name, others that have a key together, those without none not at all")
    func callers() {
        let metrics = metrics(2)
        metrics.loops[0].count(ended(caller: "team", tokens: (10, 1), picodollars: 1_500_000_000_000))
        metrics.loops[1].count(ended(caller: "team", tokens: (5, 0), picodollars: 7))
        for number in 0..<1_000 { metrics.loops[0].count(ended(caller: "digest-\(number)", tokens: (1, 0))) }
        metrics.loops[0].count(ended(caller: nil, tokens: (100, 100), picodollars: 5))
        #expect(
            lines(metrics, of: "relay_caller_") == [
                #"relay_caller_requests_total{caller="other"} 1000"#,
                #"relay_caller_requests_total{caller="team"} 2"#,
                #"relay_caller_tokens_total{caller="other",kind="prompt"} 1000"#,
                #"relay_caller_tokens_total{caller="team",kind="prompt"} 15"#,
                #"relay_caller_tokens_total{caller="team",kind="completion"} 1"#,
                #"relay_caller_cost_usd_total{caller="team"} 1.500000000007"#,
            ]
        )
    }

    @Test("the loops' counts are summed")
    func sums() {
        let metrics = metrics(3)
        for (index, loop) in metrics.loops.enumerated() {
            for _ in 0...index { loop.count(ended(1, "m1", tokens: (10, 1))) }
        }
        metrics.loops[2].count(ended(2, nil, 404))
        #expect(
            Set(lines(metrics, of: "relay_requests_total")) == [
                #"relay_requests_total{route="/a",model="m1",status="200"} 6"#,
                #"relay_requests_total{route="/b",model="",status="404"} 1"#,
            ]
        )
        #expect(
            lines(metrics, of: "relay_tokens_total") == [
                #"relay_tokens_total{model="m1",kind="prompt"} 60"#,
                #"relay_tokens_total{model="m1",kind="completion"} 6"#,
            ]
        )
    }

    @Test("times by route; an answer that never began has no first byte")
    func times() {
        let metrics = metrics(2)
        metrics.loops[0].count(ended(1, seconds: 0.25))
        metrics.loops[1].count(ended(1, seconds: 400))
        metrics.loops[1].count(ended(1, nil, 499, seconds: 1))
        let name = "relay_request_duration_seconds"
        #expect(lines(metrics, of: name + #"_bucket{route="/a",le="0.1"}"#).first?.hasSuffix(" 0") == true)
        #expect(lines(metrics, of: name + #"_bucket{route="/a",le="0.25"}"#).first?.hasSuffix(" 1") == true)
        #expect(lines(metrics, of: name + #"_bucket{route="/a",le="+Inf"}"#).first?.hasSuffix(" 3") == true)
        #expect(lines(metrics, of: name + "_sum") == [name + #"_sum{route="/a"} 401.25"#])
        #expect(lines(metrics, of: "relay_request_first_byte_seconds_count").first?.hasSuffix(" 2") == true)
    }

    @Test("what is not known is `other`")
    func unknown() {
        let metrics = metrics()
        metrics.loops[0].count(ended(LabelNames.other, "no such \" model", 999))
        metrics.loops[0].count(ended(LabelNames.other, "other", 0))
        metrics.loops[0].count(.idleTimeout, of: "nobody")
        metrics.loops[0].count(.badKey, of: "p")
        #expect(
            lines(metrics, of: "relay_requests_total") == [
                #"relay_requests_total{route="other",model="other",status="other"} 2"#
            ]
        )
        #expect(
            lines(metrics, of: "relay_upstream_errors_total") == [
                #"relay_upstream_errors_total{provider="other",cause="idle_timeout"} 1"#,
                #"relay_upstream_errors_total{provider="p",cause="refused_key"} 1"#,
            ]
        )
    }

    @Test("series are bounded, and nothing is lost")
    func bounds() {
        let metrics = metrics(2, models: (0..<1_000).map { "model-\($0)" })
        var counted = 0
        for loop in metrics.loops {
            for model in 0..<1_000 {
                for status in [200, 400, 429, 500] {
                    loop.count(ended(1, "model-\(model)", status))
                    counted += 1
                }
            }
            for status in 100...599 {
                loop.count(ended(2, nil, status))
                counted += 1
            }
        }
        let lines = lines(metrics, of: "relay_requests_total")
        #expect(lines.count == SeriesNumbers.limit)
        #expect(Set(lines.compactMap { $0.split(separator: "}").first }).count == lines.count)
        #expect(lines.compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +) == counted)
        #expect(lines.contains { $0.contains(#"route="other",model="other",status="429""#) })
        #expect(metrics.labels.models.names.count == LabelNames.limit)
    }

    @Test("gauges go up and down, over loops")
    func gauges() {
        let metrics = metrics(2)
        metrics.loops[0].change(.requests, by: 1)
        metrics.loops[1].change(.requests, by: 1)
        metrics.loops[1].change(.streams, by: 1)
        metrics.loops[0].change(.requests, by: -1)
        #expect(lines(metrics, of: "relay_requests_in_flight") == ["relay_requests_in_flight 1"])
        #expect(lines(metrics, of: "relay_open_streams") == ["relay_open_streams 1"])
        metrics.loops[1].change(.streams, by: -1)
        #expect(lines(metrics, of: "relay_open_streams") == ["relay_open_streams 0"])
    }

    @Test("a scrape beside counting loops sees counts that only grow, and at last all of them")
    func beside() {
        let metrics = metrics(2)
        let rounds = 20_000
        let loops = metrics.loops.map { _ in LoopThread() }
        for (loop, events) in zip(metrics.loops, loops.map(\.loop)) {
            events.call {
                for round in 0..<rounds { loop.count(self.ended(1, round % 2 == 0 ? "m1" : "m2")) }
                events.stop()
            }
        }
        var last = 0
        while last < 2 * rounds {
            let now = lines(metrics, of: "relay_requests_total")
                .compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
            #expect(now >= last)
            last = now
        }
        for thread in loops { thread.join() }
        #expect(last == 2 * rounds)
    }

    @Test("labels may be added during a scrape: each number that it reads has a name")
    func labelsAdded() {
        let isDone = Lock(false)
        let thread = LoopThread()
        let current = Lock(metrics())
        thread.loop.call {
            for _ in 0..<400 {
                let metrics = self.metrics()
                current.withLock { $0 = metrics }
                for number in 0..<12 {
                    let more = MetricLabels(routes: [], models: ["new-\(number)"], providers: [])
                    metrics.loops[0].use(metrics.add(more))
                    metrics.loops[0].count(self.ended(1, "new-\(number)"))
                }
            }
            isDone.withLock { $0 = true }
            thread.loop.stop()
        }
        var scrapes = 0
        while !isDone.withLock({ $0 }) {
            scrapes += lines(current.withLock { $0 }, of: "relay_build_info").count
        }
        thread.join()
        #expect(scrapes > 0)
    }

    @Test("figures of this process")
    func process() throws {
        let before = try #require(ProcessFigures.openDescriptors())
        // Other tests may hold thousands.
        let listedBefore = try #require(ProcessFigures.listDescriptors(upTo: 100_000))
        #expect(ProcessFigures.listDescriptors(upTo: 3) == nil)
        let more = (0..<300).map { _ in open("/dev/null", O_RDONLY) }
        let after = try #require(ProcessFigures.openDescriptors())
        let listedAfter = try #require(ProcessFigures.listDescriptors(upTo: 100_000))
        for descriptor in more { close(descriptor) }
        // Other tests open and close some descriptors meanwhile.
        #expect((200...400).contains(after - before))
        #expect((200...400).contains(listedAfter - listedBefore))
        let names = [
            "process_start_time_seconds", "process_resident_memory_bytes", "process_heap_bytes", "process_open_fds",
            "process_max_fds",
            "process_cpu_seconds_total", "process_threads",
        ]
        // Sanitizers have an allocator of their own.
        for name in names where name != "process_heap_bytes" || !relay_is_sanitized() {
            let value = lines(ProcessFigures(), of: name).first?.split(separator: " ").last.flatMap { Double($0) }
            #expect((value ?? -1) > 0, "\(name)")
        }
    }

    @Test("lines that the log dropped")
    func log() {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        defer { for end in ends { close(end) } }
        let log = Log(level: .info, format: .json, descriptor: ends[1], capacityBytes: 150)
        #expect(lines(log, of: "relay_log_lines_dropped_total") == ["relay_log_lines_dropped_total 0"])
        for _ in 0..<20 { log.info("a line of some length") }
        #expect(log.droppedLines > 0)
    }
}
