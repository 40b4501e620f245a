import Engine

/// The counters of one event loop for requests that use a model (operations). The index of a histogram is the number
/// that `SeriesNumbers` gave to its time series.
struct OperationCells: Sendable {
    let requests = HistogramCells(.operations, labels: OperationCells.limit)
    let calls = HistogramCells(.operations, labels: OperationCells.limit)
    let firstTokens = HistogramCells(.firstTokens, labels: OperationCells.limit)
    let promptTokens = HistogramCells(.tokens, labels: OperationCells.limit)
    let completionTokens = HistogramCells(.tokens, labels: OperationCells.limit)

    /// The number of time series up to which a new series gets all labels. Later, an operation that needs a new series
    /// is counted by its error only.
    static let whole = 120
    static let limit = 160
}

extension LoopMetrics {
    package func count(_ operation: borrowing Operation) {
        oneLoop.check()
        let provider = operation.provider.map(number(ofProvider:)) ?? Series.noProvider
        let model = number(ofModel: operation.model ?? MetricLabels.noModel)
        let series = Series(operation.kind, provider: provider, model: model, error: operation.error)
        let number = operationSeries.number(series)
        operations.requests.add(operation.durationNanoseconds, at: number)
        if let time = operation.callNanoseconds { operations.calls.add(time, at: number) }
        if let usage = operation.usage {
            operations.promptTokens.add(UInt64(clamping: usage.promptTokens), at: number)
            if operation.kind != .embeddings, operation.kind != .rerank {
                operations.completionTokens.add(UInt64(clamping: usage.completionTokens), at: number)
            }
        }
        guard series.status == 0, operation.kind.isOfTokens, let time = operation.firstTokenNanoseconds else { return }
        operations.firstTokens.add(time, at: number)
    }
}

/// The use of `Series` for operations, such as a chat. `route` then contains the operation's kind and provider.
extension Series {
    static let noProvider = 511

    fileprivate init(_ kind: Operation.Kind, provider: Int, model: Int, error: Int) {
        self.init(route: kind.rawValue << 9 | provider, model: model, status: error)
    }

    var operation: Operation.Kind { Operation.Kind(rawValue: Int(route) >> 9) ?? .other }

    /// The index of the provider among the metrics' provider names; nil if no provider was called.
    var provider: Int? { Int(route) & 511 == Self.noProvider ? nil : Int(route) & 511 }
}

extension Metrics {
    func writeOperations(to text: inout MetricsText) {
        text.histogram(
            "gen_ai_server_request_duration_seconds",
            "Time from the head of a request for a model to the end of its response."
        )
        writeOperations(\.requests, to: &text)
        text.histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from the head of a successful request for text to the beginning of its response."
        )
        writeOperations(\.firstTokens, to: &text)
        text.histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time from the first upstream call of a request to the end of its response, by the provider called last."
        )
        writeOperations(\.calls, to: &text)
        text.histogram(
            "gen_ai_client_token_usage",
            "Tokens of the prompt and of the response of each request, as reported in the response."
        )
        writeOperations(\.promptTokens, tokens: "input", to: &text)
        writeOperations(\.completionTokens, tokens: "output", to: &text)
    }

    private func writeOperations(
        _ cells: (OperationCells) -> HistogramCells,
        tokens: String = "",
        to text: inout MetricsText
    ) {
        // The names are read after the numbers: a reload adds a name before a loop uses its number.
        let all = operationNumbers.all
        let labels = labels
        for (index, series) in all.enumerated() {
            guard let counts = counts({ cells($0.operations) }, at: index) else { continue }
            let provider = series.provider.map { labels.providers.names[$0] } ?? ""
            let error = series.status == 0 ? "" : Operation.errorName(Int(series.status))
            text.histogram(
                ("gen_ai_operation_name", series.operation.name),
                ("gen_ai_provider_name", labels.kinds[provider] ?? "_OTHER"),
                ("provider", provider),
                ("gen_ai_request_model", labels.models.names[Int(series.model)]),
                ("gen_ai_token_type", tokens),
                ("error_type", error),
                of: cells(loops[0].operations).buckets,
                counts
            )
        }
    }
}
