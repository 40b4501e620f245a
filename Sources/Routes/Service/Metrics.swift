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
