import Calls
import Engine
import Shared

/// Handles GET /metrics: sends the metrics for Prometheus. The request must contain `METRICS_TOKEN` if it is set.
func showMetrics(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    if let token = gateway.settings.metricsToken {
        guard let given = try exchange.request.bearer() else { throw .noKey }
        // Comparing digests takes the same time whatever the content and the length are.
        guard Digest(of: given) == token else { throw .wrongKey("") }
    }
    var text = MetricsText()
    gateway.metrics.write(to: &text)
    exchange.send(200, type: "text/plain; version=0.0.4; charset=utf-8", body: text.body)
}

extension Exchange {
    /// Counts and logs the request, which has ended. Call it once, when the response has been written.
    func finish() {
        if let operation { countOperation(operation) }
        end()
        if gateway.hasOperator { gateway.running.remove(self) }
    }

    private func countOperation(_ kind: Operation.Kind) {
        let now = gateway.loop.now
        let provider = billing?.provider
        var operation = Operation(
            kind,
            model: record.model,
            provider: provider,
            status: record.status,
            fault: record.fault
        )
        operation.durationNanoseconds = now.nanoseconds(since: record.startedAt)
        if provider != nil { operation.callNanoseconds = now.nanoseconds(since: admittedAt) }
        operation.firstTokenNanoseconds = record.firstByteNanoseconds
        operation.usage = record.usage
        gateway.counts.count(operation)
    }
}
