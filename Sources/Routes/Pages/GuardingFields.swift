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
