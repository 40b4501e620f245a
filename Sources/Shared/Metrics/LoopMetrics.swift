package import Engine
package import Limits

/// The metrics counters of one event loop.
///
/// `@unchecked`: `Metrics` reads the cells from any thread. Everything else is used on the loop's thread only.
package final class LoopMetrics: @unchecked Sendable {
    private(set) var labels: MetricLabels
    package func routeName(_ number: Int) -> String { labels.routes.names[number] }

    /// The number of open client connections on this loop. The loop's HTTP server updates it.
    package let connections = OpenConnections()
    let oneLoop = OneLoop()
    private var models = LastLabel()
    private var providers = LastLabel()
    private var callerNames = LastLabel()
    private var series: RecentSeries
    var operationSeries: RecentSeries

    let requests = Cells(count: SeriesNumbers.limit)
    let durations: HistogramCells
    let firstBytes: HistogramCells
    /// The token counts: for each model its prompt tokens, then its completion tokens.
    let tokens: Cells
    /// The number of upstream failures by provider and kind of failure.
    let faults: Cells
    /// The number of waits for limits of vendors, by provider and outcome.
    let vendorWaits: Cells
    /// The number of upstream calls for which the vendor reported impossible usage, by provider.
    let impossibleUsage: Cells
    /// The number of responses that ended because a budget was used up, by the unit of the budget.
    let budgetEnds = Cells(count: Quota.Unit.allCases.count)
    /// The totals of each caller: requests, prompt tokens, completion tokens, and the cost in picodollars.
    let callers: Cells
    let operations = OperationCells()
    let gauges = Cells(count: Gauge.allCases.count)

    package enum Gauge: Int, CaseIterable {
        case requests, streams
        /// The requests in progress that belong to the operator's or a caller's page, which `requests` includes.
        case requestsOfPages
        /// The requests of these pages that have ended since the start.
        case endedRequestsOfPages
        /// The requests that a vendor or the relay failed to serve, and those that a limit of the relay refused.
        case failedRequests, refusedRequests
        /// The ended requests whose largest output a budget lowered.
        case lowered
    }

    enum CallerCount: Int, CaseIterable {
        case requests, promptTokens, completionTokens, cost
    }

    /// The outcome of a wait for a vendor's limits: a key could be tried, or none in time.
    package enum WaitOutcome: String, CaseIterable, Sendable { case served, late }

    init(_ labels: MetricLabels, _ numbers: SeriesNumbers, operationNumbers: SeriesNumbers) {
        self.labels = labels
        series = RecentSeries(numbers)
        operationSeries = RecentSeries(operationNumbers)
        durations = HistogramCells(.requests, labels: labels.routes.names.count)
        firstBytes = HistogramCells(.requests, labels: labels.routes.names.count)
        // The labels may grow to this number.
        tokens = Cells(count: LabelNames.limit * 2)
        callers = Cells(count: LabelNames.limit * CallerCount.allCases.count)
        vendorWaits = Cells(count: LabelNames.limit * WaitOutcome.allCases.count)
        impossibleUsage = Cells(count: LabelNames.limit)
        faults = Cells(count: LabelNames.limit * UpstreamFault.allCases.count)
    }

    // MARK: On the loop

    /// Replaces the labels after a reload of the settings. `labels` is the result of `Metrics.add`.
    package func use(_ labels: MetricLabels) {
        oneLoop.check()
        self.labels = labels
        models = LastLabel()
        providers = LastLabel()
        callerNames = LastLabel()
    }

    /// The values with which the metrics count a finished request, such as its status and tokens.
    package struct EndCounts {
        /// The index of the route in `MetricLabels.routes.names`.
        package let route: Int
        /// The model as the caller named it; nil if the request has no model.
        package let model: String?
        package let status: Int
        package let durationNanoseconds: UInt64
        /// The time from the request's start to the response's first byte; nil without a response.
        package let firstByteNanoseconds: UInt64?
        /// The name of the caller; nil if the caller is anonymous. A name that is not in `MetricLabels.callers` counts
        /// as `other`.
        package let caller: String?
        package let promptTokens: Int
        package let completionTokens: Int
        /// The cost of the request; nil if it is unknown.
        package let cost: Cost?

        package init(
            route: Int,
            model: String?,
            status: Int,
            durationNanoseconds: UInt64,
            firstByteNanoseconds: UInt64?,
            caller: String? = nil,
            promptTokens: Int,
            completionTokens: Int,
            cost: Cost? = nil
        ) {
            self.route = route
            self.model = model
            self.status = status
            self.durationNanoseconds = durationNanoseconds
            self.firstByteNanoseconds = firstByteNanoseconds
            self.caller = caller
            self.promptTokens = promptTokens
            self.completionTokens = completionTokens
            self.cost = cost
        }
    }

    package func change(_ gauge: Gauge, by amount: Int) { gauges.add(amount, at: gauge.rawValue) }

    func number(ofModel name: String) -> Int { models.number(name, in: labels.models) }
    func number(ofProvider name: String) -> Int { providers.number(name, in: labels.providers) }
    /// Members of a family, such as `class.ann`, count under the family's name.
    private func number(ofCaller name: String) -> Int {
        callerNames.number(name, in: labels.callers) { name in
            name.utf8.contains(UInt8(ascii: ".")) ? String(name.prefix { $0 != "." }) : name
        }
    }

    package func count(_ ended: borrowing EndCounts) {
        oneLoop.check()
        let model = number(ofModel: ended.model ?? MetricLabels.noModel)
        requests.add(1, at: series.number(Series(route: ended.route, model: model, status: ended.status)))
        durations.add(ended.durationNanoseconds, at: ended.route)
        if let first = ended.firstByteNanoseconds { firstBytes.add(first, at: ended.route) }
        if ended.promptTokens > 0 { tokens.add(ended.promptTokens, at: model * 2) }
        if ended.completionTokens > 0 { tokens.add(ended.completionTokens, at: model * 2 + 1) }
        if let caller = ended.caller { count(1, ended.promptTokens, ended.completionTokens, ended.cost, of: caller) }
    }

    /// Counts the tokens and the cost of an upstream call that `EndCounts` does not include, such as a panel member's.
    package func count(_ usage: Usage, cost: Cost?, of model: String, for caller: String?) {
        oneLoop.check()
        let model = number(ofModel: model)
        tokens.add(usage.promptTokens, at: model * 2)
        tokens.add(usage.completionTokens, at: model * 2 + 1)
        if let caller { count(0, usage.promptTokens, usage.completionTokens, cost, of: caller) }
    }

    private func count(_ requests: Int, _ promptTokens: Int, _ completionTokens: Int, _ cost: Cost?, of caller: String)
    {
        let first = number(ofCaller: caller) * CallerCount.allCases.count
        callers.add(requests, at: first + CallerCount.requests.rawValue)
        callers.add(promptTokens, at: first + CallerCount.promptTokens.rawValue)
        callers.add(completionTokens, at: first + CallerCount.completionTokens.rawValue)
        callers.add(cost?.picodollars ?? 0, at: first + CallerCount.cost.rawValue)
    }

    /// Counts a failure of an upstream call, such as a timeout or an incomplete response.
    package func count(_ fault: UpstreamFault, of provider: String) {
        let provider = number(ofProvider: provider)
        faults.add(1, at: provider * UpstreamFault.allCases.count + fault.index)
    }

    /// Counts a wait for the limits of a provider's vendor.
    package func count(_ wait: WaitOutcome, ofWaitFor provider: String) {
        vendorWaits.add(1, at: number(ofProvider: provider) * WaitOutcome.allCases.count + (wait == .served ? 0 : 1))
    }

    /// Counts a response that ended because a budget of this unit was used up.
    package func count(budgetEndOf unit: Quota.Unit) {
        budgetEnds.add(1, at: Quota.Unit.allCases.firstIndex(of: unit) ?? 0)
    }

    /// Counts an upstream call for which the vendor reported impossible usage.
    package func count(impossibleUsageOf provider: String) { impossibleUsage.add(1, at: number(ofProvider: provider)) }
}
