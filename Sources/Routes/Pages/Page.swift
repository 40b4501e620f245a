import CPages
import Engine
import Shared

/// An HTML page that the relay serves, with its style and script inside.
struct Page {
    let title: String
    /// The values that the page's script reads from `data-...` attributes of the body.
    let data: [(name: StaticString, value: String)]
    private let content: relay_page_text
    private let script: relay_page_text

    private init(
        _ title: String,
        _ data: [(name: StaticString, value: String)],
        content: relay_page_text,
        _ script: relay_page_text
    ) {
        self.title = title
        self.data = data
        self.content = content
        self.script = script
    }

    static func admin(title: String, _ data: [(name: StaticString, value: String)]) -> Page {
        Page(title, data, content: relay_page_admin(), relay_page_admin_script())
    }

    /// Creates the page on which a caller sees the usage of a key.
    static func usage(title: String) -> Page { Page(title, [], content: relay_page_usage(), relay_page_usage_script()) }

    /// Sends the page. The browser runs only style and script with the nonce of this response.
    func send(by exchange: Exchange, _ gateway: Gateway) {
        let nonce = gateway.ids.id("")
        exchange.operatorFields += guardingFields(nonce: nonce)
        exchange.send(200, type: "text/html; charset=utf-8", body: html(nonce: nonce))
    }

    private func html(nonce: String) -> ByteBuffer {
        var html = ByteBuffer(
            #"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>\#(title.escapedForHTML)</title>"#
        )
        html.append(
            #"""
            <meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">\#
            <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\#
            %3Cpath fill='%232f6fb5' d='M0 1h5v2h3v4H3V5H0z'/%3E%3C/svg%3E"><style nonce="\#(nonce)">
            """#
        )
        html.append(relay_page_style())
        html.append("</style></head><body")
        for (name, value) in data { html.append(#" data-\#(name)="\#(value.escapedForHTML)""#) }
        html.append(">")
        html.append(content)
        html.append(#"<script type="module" nonce="\#(nonce)">"#)
        html.append(script)
        html.append("</script></body></html>")
        return html
    }
}

extension ByteBuffer {
    fileprivate mutating func append(_ text: relay_page_text) {
        append(UnsafeRawBufferPointer(start: text.bytes, count: text.count))
    }
}

extension String {
    /// The text in a form that is safe in an HTML element or in a quoted attribute.
    var escapedForHTML: String {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension Settings {
    /// Returns the title of a page, with the host of `PUBLIC_URL` if that is set.
    func pageTitle(_ name: String) -> String {
        guard let publicURL else { return "\(Product.name) \(name)" }
        let host = publicURL.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" }
        return "\(Product.name) \(name) · \(host)"
    }
}

/// Returns the security header lines of the admin page and its API.
/// - Parameter nonce: the nonce of style and script; nil if the response has neither.
func guardingFields(nonce: String?) -> String {
    let own = nonce.map { "script-src 'nonce-\($0)'; style-src 'nonce-\($0)'; " } ?? ""
    return """
        Content-Security-Policy: default-src 'none'; \(own)img-src 'self' data:; connect-src 'self'; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
        Cache-Control: no-store\r\n
        """
}

/// Handles GET /usage: sends a page that shows callers the response of `GET /v1/usage`.
func showUsagePage(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    exchange.isShared = false
    exchange.record.assignToPage(in: gateway.counts)
    Page.usage(title: gateway.settings.pageTitle("usage")).send(by: exchange, gateway)
}
