import Engine
import Shared

/// Handles GET /admin: sends the admin page, which shows a login form if the client has no session.
func showAdminPage(_ visit: AdminVisit) async throws(APIError) {
    let (settings, exchange) = (visit.gateway.settings, visit.exchange)
    exchange.operatorFields = ""
    let page = Page.admin(
        title: settings.pageTitle("admin"),
        [
            ("user", visit.session?.user ?? ""), ("viewer", visit.session?.isViewer ?? false ? "yes" : ""),
            ("zone", settings.timeZone),
            ("instance", visit.admin.instance), ("version", Product.version),
        ]
    )
    page.send(by: exchange, visit.gateway)
}
