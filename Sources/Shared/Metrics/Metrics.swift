import Engine
import Limits

/// A source of metrics, such as a type with atomic counters. `write(to:)` is called on any thread, so it must not wait.
package protocol MetricsSource: Sendable {
    func write(to text: inout MetricsText)
}

/// All metrics of the process. Each event loop has its own counters, which a reader adds up.
package final class Metrics: MetricsSource {
    private let known: Lock<MetricLabels>
    package let loops: [LoopMetrics]
    private let numbers = SeriesNumbers()
    /// The numbers of the time series in the metrics of requests that use a model (`gen_ai_...`).
    let operationNumbers = SeriesNumbers(whole: OperationCells.whole, limit: OperationCells.limit)
    private let others: [any MetricsSource]

    package init(_ labels: MetricLabels, loops count: Int, others: [any MetricsSource]) {
        known = Lock(labels)
        self.others = others
        let (numbers, operationNumbers) = (numbers, operationNumbers)
        loops = (0..<count).map { _ in LoopMetrics(labels, numbers, operationNumbers: operationNumbers) }
    }

    package var labels: MetricLabels { known.withLock { $0 } }

    /// Adds the label values of new settings, and returns all label values so far. Pass the result to `LoopMetrics.use`
    /// of each loop.
    package func add(_ labels: MetricLabels) -> MetricLabels {
        known.withLock { known in
            known = known.adding(labels)
            return known
        }
    }

    package func write(to text: inout MetricsText) {
        writeRequests(to: &text)
        writeFailures(to: &text)
        text.histogram("relay_request_duration_seconds", "Time from the head of a request to the end of its response.")
        writeTimes(\.durations, to: &text)
        text.histogram(
            "relay_request_first_byte_seconds",
            "Time from the head of a request to the head of its response."
        )
        writeTimes(\.firstBytes, to: &text)
        writeTokens(to: &text)
        writeCallers(to: &text)
        writeFaults(to: &text)
        writeBudgets(to: &text)
        text.gauge("relay_requests_in_flight", "Requests in progress, including the request for these metrics.")
        text.sample(value: runningRequests)
        text.gauge("relay_open_streams", "Streamed responses in progress.", openStreams)
        text.gauge("relay_open_connections", "Open connections of clients.", openConnections)
        text.gauge("relay_loops", "Event loops, each on a thread of its own.", loops.count)
        text.gauge("relay_build_info", "Always 1; the label is the running version.")
        text.sample(("version", Product.version), value: 1)
        writeOperations(to: &text)
        for other in others { other.write(to: &text) }
    }

    func sum(_ cells: (LoopMetrics) -> Cells, at index: Int) -> Int { loops.reduce(0) { $0 &+ cells($1)[index] } }

    func gauge(_ gauge: LoopMetrics.Gauge) -> Int { sum(\.gauges, at: gauge.rawValue) }

    private func writeRequests(to text: inout MetricsText) {
        text.counter("relay_requests_total", "Finished requests; status 499: the client disconnected.")
        // The names are read after the numbers: a reload adds a name before a loop uses its number.
        let all = numbers.all
        let labels = labels
        for (index, series) in all.enumerated() {
            let count = sum(\.requests, at: index)
            guard count > 0 else { continue }
            text.sample(
                ("route", labels.routes.names[Int(series.route)]),
                ("model", labels.models.names[Int(series.model)]),
                ("status", series.status == 0 ? "other" : String(series.status)),
                value: count
            )
        }
    }

    private func writeFailures(to text: inout MetricsText) {
        text.counter(
            "relay_request_failures_total",
            "Requests that failed at a vendor or the relay, or were refused by a limit."
        )
        text.sample(("class", "failed"), value: gauge(.failedRequests))
        text.sample(("class", "refused"), value: gauge(.refusedRequests))
    }

    private func writeTimes(_ cells: (LoopMetrics) -> HistogramCells, to text: inout MetricsText) {
        for (index, route) in labels.routes.names.enumerated() {
            guard let counts = counts(cells, at: index) else { continue }
            text.histogram(("route", route), of: cells(loops[0]).buckets, counts)
        }
    }

    /// Returns the bucket counts of the histogram with this index, followed by the sum of its values, added up over all
    /// loops; nil if nothing was counted.
    func counts(_ cells: (LoopMetrics) -> HistogramCells, at index: Int) -> [Int]? {
        var sums = [Int](repeating: 0, count: cells(loops[0]).buckets.count + 1)
        for loop in loops { cells(loop).read(index, into: &sums) }
        return sums.dropLast().contains { $0 > 0 } ? sums : nil
    }

    private func writeTokens(to text: inout MetricsText) {
        text.counter("relay_tokens_total", "Tokens of completed requests, as reported in the response.")
        for (index, model) in labels.models.names.enumerated() {
            let prompt = sum(\.tokens, at: index * 2)
            let completion = sum(\.tokens, at: index * 2 + 1)
            if prompt > 0 { text.sample(("model", model), ("kind", "prompt"), value: prompt) }
            if completion > 0 { text.sample(("model", model), ("kind", "completion"), value: completion) }
        }
    }

    private func writeCallers(to text: inout MetricsText) {
        func each(_ count: LoopMetrics.CallerCount, _ write: (String, Int) -> Void) {
            for (index, caller) in labels.callers.names.enumerated() {
                let sum = sum(\.callers, at: index * LoopMetrics.CallerCount.allCases.count + count.rawValue)
                if sum > 0 { write(caller, sum) }
            }
        }
        text.counter("relay_caller_requests_total", "Requests by known key; other: with any other key.")
        each(.requests) { text.sample(("caller", $0), value: $1) }
        text.counter("relay_caller_tokens_total", "Tokens used by requests of known keys.")
        each(.promptTokens) { text.sample(("caller", $0), ("kind", "prompt"), value: $1) }
        each(.completionTokens) { text.sample(("caller", $0), ("kind", "completion"), value: $1) }
        text.counter("relay_caller_cost_usd_total", "Cost of requests of known keys in USD, where prices are known.")
        each(.cost) { text.sample(("caller", $0), trillionths: $1) }
    }

    private func writeFaults(to text: inout MetricsText) {
        text.counter("relay_upstream_errors_total", "Failures of providers, by cause.")
        for (index, provider) in labels.providers.names.enumerated() {
            for fault in UpstreamFault.allCases {
                let count = sum(\.faults, at: index * UpstreamFault.allCases.count + fault.index)
                guard count > 0 else { continue }
                text.sample(("provider", provider), ("cause", fault.rawValue), value: count)
            }
        }
        text.counter("relay_upstream_waits_total", "Waits for limits of vendors, by outcome.")
        for (index, provider) in labels.providers.names.enumerated() {
            for (offset, outcome) in LoopMetrics.WaitOutcome.allCases.enumerated() {
                let count = sum(\.vendorWaits, at: index * LoopMetrics.WaitOutcome.allCases.count + offset)
                if count > 0 { text.sample(("provider", provider), ("outcome", outcome.rawValue), value: count) }
            }
        }
        text.counter("relay_upstream_impossible_usage_total", "Calls for which the provider reported impossible usage.")
        for (index, provider) in labels.providers.names.enumerated() {
            let count = sum(\.impossibleUsage, at: index)
            if count > 0 { text.sample(("provider", provider), value: count) }
        }
    }

    private func writeBudgets(to text: inout MetricsText) {
        text.counter("relay_budget_ends_total", "Responses that ended because a budget was used up, by its unit.")
        for (index, unit) in Quota.Unit.allCases.enumerated() where unit.isKnownLate {
            text.sample(("unit", unit.rawValue), value: sum(\.budgetEnds, at: index))
        }
        text.counter("relay_lowered_total", "Requests whose largest output a budget lowered.", gauge(.lowered))
    }

    /// The number of requests that have ended since the start of the process, on all event loops. Requests of the
    /// relay's own pages are left out.
    package var endedRequests: Int {
        (0..<SeriesNumbers.limit).reduce(-gauge(.endedRequestsOfPages)) { sum, index in
            loops.reduce(sum) { $0 &+ $1.requests[index] }
        }
    }
}
