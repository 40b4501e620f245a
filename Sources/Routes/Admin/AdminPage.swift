import Engine
import Shared

/// GET /admin: the page, which begins with a form to log in for a visitor without a session.
func showAdminPage(_ visit: AdminVisit) async throws(APIError) {
    let (settings, exchange) = (visit.gateway.settings, visit.exchange)
    exchange.operatorFields = ""
    let page = Page.admin(
        title: settings.pageTitle("admin"),
        [
            ("user", visit.session?.user ?? ""),
            ("zone", settings.admin?.timeZone ?? "UTC"),
            ("instance", visit.admin.instance),
            ("version", Product.version),
        ]
    )
    page.send(by: exchange, visit.gateway)
}
