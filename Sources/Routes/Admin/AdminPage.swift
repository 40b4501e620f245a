import Engine
import Shared

/// GET /admin: a form to log in, or to log out.
func showAdminPage(_ visit: AdminVisit) async throws(APIError) {
    let nonce = visit.gateway.ids.id("")
    visit.exchange.operatorFields = guardingFields(nonce: nonce)
    let host = visit.gateway.settings.publicURL.map { $0.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" } }
    let title = "\(Product.name) \(host ?? "")"
    let content = visit.session == nil ? loginForm(nonce) : links
    let page = """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>\(title)</title>
        <meta name="viewport" content="width=device-width"></head><body><h1>\(title)</h1>
        \(content)</body></html>
        """
    visit.exchange.send(200, type: "text/html; charset=utf-8", body: ByteBuffer(page))
}

private let links = """
    <ul><li><a href="/admin/instances">Instances</a></li><li><a href="/admin/provider">Providers</a></li>
    <li><a href="/admin/config">Settings</a></li></ul><p><a href="/admin/logout">Log out</a></p>
    """

private func loginForm(_ nonce: String) -> String {
    """
    <form><p><label>Name <input name="username" autocomplete="username" required></label></p>
    <p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
    <p><button>Log in</button></p><p role="alert"></p></form>
    <script nonce="\(nonce)">
    const form = document.querySelector("form");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = JSON.stringify(Object.fromEntries(new FormData(form)));
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("/admin/login", { method: "POST", headers, body });
      if (answer.ok) location.reload();
      else document.querySelector("[role=alert]").textContent = (await answer.json()).msg;
    });
    </script>
    """
}
