import Shared

/// Handles GET /usage: sends a page on which a caller enters a key and sees the response of `GET /v1/usage`.
func showUsagePage(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.isShared = false
    exchange.record.isOfOperator = true
    Page.usage(title: gateway.settings.pageTitle("usage")).send(by: exchange, gateway)
}
