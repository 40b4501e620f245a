import Engine
import Limits
import Shared
import Upstream

/// Handles POST /admin/login: begins an admin session if the user name and the password are correct.
func logIn(_ visit: AdminVisit) async throws(APIError) {
    let (gateway, sessions) = (visit.gateway, visit.admin.sessions)
    guard visit.request[.origin] == nil || visit.request.isOfOwnOrigin(gateway.settings) else { throw .otherOrigin }
    try await countLogin(visit)
    let given = try await visit.body(limitBytes: loginLimitBytes) { (root) throws(APIError) in
        guard let user = root["username"]?.string, let password = root["password"]?.string else {
            throw APIError(400, "The body must be an object with the strings 'username' and 'password'.")
        }
        return (user: user, password: password)
    }
    guard let token = sessions.logIn(user: given.user, password: given.password, random: gateway.ids) else {
        visit.record("failed login", by: "")
        throw APIError(401, "Wrong username or password")
    }
    visit.record("login", by: given.user)
    let isViewer = token.withBytes { sessions.session(of: $0) }?.isViewer ?? false
    let seconds = (gateway.settings.admin?.sessionHours ?? 0) * 3_600
    setCookie(token, seconds: seconds, visit)
    visit.send("Login successful", data: #"{"token":\#(token),"viewer":\#(isViewer)}"#)
}

private let loginLimitBytes = 4_096

/// Counts a login attempt of the client's address. Throws if there were too many attempts.
private func countLogin(_ visit: AdminVisit) async throws(APIError) {
    let address = visit.gateway.limits.address(visit.request)
    // While the counter store is unavailable, `RATE_LIMIT_STORE_DOWN` does not apply to logins: this instance then
    // allows its share of the limit.
    let decision = await visit.exchange.hold([LimitCharge(loginLimit, .address(address))]).decision
    guard !decision.isAdmitted else { return }
    let seconds = max(1, ((decision.retryAfterMilliseconds ?? 60_000) + 999) / 1_000)
    throw APIError(429, "Too many logins. Try again in \(seconds) s.", retryAfterSeconds: seconds)
}

private let loginLimit = Limit(.login, Quota(5, .requests, per: .minute))

/// Handles GET /admin/logout: ends the admin session.
func logOut(_ visit: AdminVisit) async throws(APIError) {
    // A page of another site cannot make a browser send the session cookie, so the origin is not checked.
    if let session = visit.session {
        visit.admin.sessions.end(session)
        visit.record("logout")
        let (admin, loop) = (visit.admin, visit.gateway.loop)
        Task(executorPreference: loop) { await admin.sessions.keep(in: admin.shared, on: loop, admin.worker) }
    }
    setCookie("", seconds: 0, visit)
    visit.exchange.send(redirectTo: "/admin")
}

private func setCookie(_ token: String, seconds: Int, _ visit: AdminVisit) {
    let settings = visit.gateway.settings
    let isSecure = settings.publicURL?.hasPrefix("https://") ?? false || visit.request.isOverTLS(settings)
    let secure = isSecure ? "; Secure" : ""
    visit.exchange.operatorFields +=
        "Set-Cookie: token=\(token); Path=/admin; Max-Age=\(seconds); HttpOnly; SameSite=Strict\(secure)\r\n"
}

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
