import Shared

/// Handles GET /usage: sends a page that shows callers the response of `GET /v1/usage`.
func showUsagePage(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.isShared = false
    exchange.record.assignToPage(in: gateway.counts)
    Page.usage(title: gateway.settings.pageTitle("usage")).send(by: exchange, gateway)
}
