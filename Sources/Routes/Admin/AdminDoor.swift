import Engine
import Shared
import Upstream

/// Serves a request to a path below `/admin`. Throws if the client may not use the route.
func serveAdmin(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let request = exchange.request
    exchange.operatorFields = guardingFields(nonce: nil)
    if request.rawPath.equals("/admin/"), request.method == .get || request.method == .head {
        return exchange.send(redirectTo: "/admin")
    }
    // A path with escapes or extra slashes is no route: a proxy in front can then block paths by comparing the text.
    guard request.rawPath.elementsEqual(request.path) else { throw APIError(404, "Not found") }
    let path = AdminRoute.parts(request.path.text)
    var allowed: [Method] = []
    for route in AdminRoute.all {
        guard let values = route.values(in: path) else { continue }
        if route.method == request.method || route.method == .get && request.method == .head {
            let visitor = try visitor(of: route.access, request, gateway)
            let visit = try AdminVisit(route, values, visitor, exchange, gateway)
            // A body may have a member that narrows what a route changes. Other routes read theirs.
            if request.method != .get, request.method != .head, route.parameters == [] {
                try await visit.body { (_) throws(APIError) in }
            }
            return try await route.handle(visit)
        }
        allowed += route.method == .get ? [.get, .head] : [route.method]
    }
    guard !allowed.isEmpty else { throw APIError(404, "Not found") }
    _ = try visitor(of: .reader, request, gateway)
    exchange.allowed = allowed.map(\.name)
    throw APIError(405, "Method not allowed")
}

/// Returns the client's admin session; nil if there is none. Throws if a route with the condition `access` is not open
/// to the client.
private func visitor(
    of access: AdminRoute.Access,
    _ request: Request,
    _ gateway: Gateway
) throws(APIError) -> AdminSession? {
    let session = operatorSession(request, gateway.process.admin.sessions)
    if access == .everybody { return session }
    guard let session else { throw APIError(401, "Not logged in") }
    if access == .writer, session.isViewer {
        let advice = "Changes need ADMIN_PASSWORD in place of ADMIN_VIEWER_PASSWORD."
        throw APIError(403, "Your password may only read. \(advice)")
    }
    // A token in the header is sent by programs only: no page of another site can make a browser send it.
    if access == .writer, request.operatorToken == nil, !request.isOfOwnOrigin(gateway.settings) { throw .otherOrigin }
    return session
}

/// Returns the admin session of a request; nil if the request has no valid session.
///
/// If the request has a token in `Authorization`, its cookies are ignored.
func operatorSession(_ request: Request, _ sessions: AdminSessions) -> AdminSession? {
    if let bearer = request.operatorToken { return sessions.session(of: bearer) }
    return request.cookies(named: "token").lazy.compactMap { sessions.session(of: $0) }.first
}

extension APIError {
    static var otherOrigin: APIError {
        APIError(
            403,
            "The request comes from a page of another origin. Behind a proxy, set PUBLIC_URL to the address of the page."
        )
    }
}

extension Request {
    /// Returns the values of the cookies with this name, at most four.
    func cookies(named name: StaticString) -> [UnsafeRawBufferPointer] {
        var values: [UnsafeRawBufferPointer] = []
        // Pages of neighbouring hosts can set further cookies of this name, so there may be more than one.
        for line in lines(of: .cookie) {
            for pair in line.split(separator: UInt8(ascii: ";")) where values.count < Self.maxCookies {
                let pair = UnsafeRawBufferPointer(rebasing: pair).trimmed
                guard let sign = pair.first(UInt8(ascii: "=")), pair[part: 0..<sign].equals(name) else { continue }
                values.append(pair[part: (sign + 1)..<pair.count])
            }
        }
        return values
    }

    private static let maxCookies = 4
}
