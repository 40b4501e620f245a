import Engine
import Shared

/// Handles GET and POST /reload_config: reloads the settings.
func reloadSettings(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let access = gateway.settings.reloadAccess
    guard access != .off, let reloader = gateway.process.reloader.withLock({ $0 }) else {
        throw APIError(404, "Not found")
    }
    let request = exchange.request
    guard access.permits(request, gateway), request.isOfOwnPage(gateway.settings) else {
        throw APIError(403, "Not permitted")
    }
    if access == .open, !gateway.process.reloads.mayBegin(at: gateway.loop.now) {
        throw APIError(429, "Configuration was reloaded a moment ago", retryAfterSeconds: OpenReloads.pauseSeconds)
    }
    try await exchange.sendReload(by: reloader, on: gateway.loop)
}

/// The format of error responses of `/admin` and `/reload_config`: `{"status":1,"msg":"Not found"}`.
struct ServiceSurface: Surface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        body.json(#"{"status":1,"msg":\#(error.message)}"#)
    }
}

extension Exchange {
    /// Reloads the settings and sends the result to the client.
    /// - Parameter instance: this instance's name for the response; nil to omit the name.
    func sendReload(
        by reloader: any SettingsReloader,
        on loop: EventLoop,
        instance: String? = nil
    ) async throws(APIError) {
        switch await reloader.reload(on: loop) {
        case .reloaded(let waiting):
            sendStatus(200, "Configuration reloaded", "waiting_for_restart", waiting, instance: instance)
        case .refused(let errors): sendStatus(422, "Configuration not changed", "errors", errors, instance: instance)
        case .unavailable(let error):
            sendStatus(502, "Configuration not changed", "errors", [error], instance: instance)
        case nil: throw APIError(503, "Too many reloads wait")
        }
    }

    fileprivate func sendStatus(
        _ status: Int,
        _ message: String,
        _ member: String,
        _ texts: [String],
        instance: String?
    ) {
        let list = texts.isEmpty ? nil : texts
        send(
            status,
            json: #"""
                {"status":\#(status == 200 ? 0 : 1),"msg":\#(message)\#(member: member, list)\#(member: "instance", instance)}
                """#
        )
    }
}

extension ReloadAccess {
    fileprivate func permits(_ request: Request, _ gateway: Gateway) -> Bool {
        switch self {
        case .open: true
        case .local: request.peer.isLoopback && !request.isForwarded && request.isToThisMachine(gateway.settings)
        // A session cookie is not accepted, because any page can make a browser send it.
        case .admin: request.operatorToken.flatMap(gateway.process.admin.sessions.session)?.isViewer == false
        case .off: false
        }
    }
}
