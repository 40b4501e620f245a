import Engine
import Glibc
import Shared
import Synchronization
import Upstream

/// Handles GET /: sends a short greeting with the URL of the API.
func showRoot(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let settings = gateway.settings
    let address = apiAddress(exchange.request, settings)
    let accept = exchange.request[.accept]
    var scan = ByteScan(accept ?? UnsafeRawBufferPointer(start: nil, count: 0))
    if scan.find("application/json") {
        return exchange.send(json: #"{"name":\#(Product.name),"version":\#(Product.version),"url":\#(address)}"#)
    }
    let text = "Congratulations! Your API is working! You can now make requests to the API.\n\nEndpoint: \(address)/v1"
    exchange.send(200, type: "text/plain; charset=utf-8", body: ByteBuffer(text))
}

/// Returns the relay's URL for clients.
/// - Parameter isAdmin: whether the request came to the admin page's separate socket.
func apiAddress(_ request: Request, _ settings: Settings, isAdmin: Bool = false) -> String {
    if let url = settings.publicURL { return url }
    let used = host(request, settings)
    guard isAdmin, let colon = used.utf8.lastIndex(of: UInt8(ascii: ":")), !used.hasSuffix("]") else {
        return "http://\(used)"
    }
    return "http://\(used[..<colon]):\(settings.port)"
}

/// Returns the host and port at which clients reach the relay.
private func host(_ request: Request, _ settings: Settings) -> String {
    guard settings.host == "0.0.0.0" || settings.host == "::" else {
        return "\(settings.host.contains(":") ? "[\(settings.host)]" : settings.host):\(settings.port)"
    }
    guard let used = request[.host]?.text, !used.hasPrefix("0.0.0.0"), !used.hasPrefix("[::]") else {
        return "127.0.0.1:\(settings.port)"
    }
    return used
}

/// Handles GET /health: always responds with 200.
func showHealth(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    sendStatus(200, "ok", exchange: exchange)
}

/// Handles GET /ready: responds with 200, or with 503 once the process is shutting down.
func showReadiness(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let isDraining = gateway.process.isDraining.load(ordering: .relaxed)
    sendStatus(isDraining ? 503 : 200, isDraining ? "draining" : "ok", exchange: exchange)
}

private func sendStatus(_ status: Int, _ word: String, exchange: Exchange) {
    exchange.send(status, json: #"{"status":\#(word),"timestamp":\#(Timestamp.text(second: time(nil)))}"#)
}

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
