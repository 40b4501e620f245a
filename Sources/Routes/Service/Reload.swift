import Engine
import Shared

/// GET, POST /reload_config
func reloadSettings(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let access = gateway.settings.reloadAccess
    guard access != .off, let reloader = gateway.process.reloader.withLock({ $0 }) else {
        throw APIError(404, "Not found")
    }
    let request = exchange.request
    guard access.permits(request, gateway.settings), request.isOfOwnPage(gateway.settings) else {
        throw APIError(403, "Not permitted")
    }
    if access == .open, !gateway.process.reloads.mayBegin(at: gateway.loop.now) {
        var error = APIError(429, "Configuration was reloaded a moment ago")
        error.retryAfterSeconds = OpenReloads.pauseSeconds
        throw error
    }
    switch await reloader.reload(on: gateway.loop) {
    case .reloaded: exchange.sendStatus(200, "Configuration reloaded")
    case .refused(let errors): exchange.sendStatus(422, "Configuration not changed", errors)
    case .unavailable(let error): exchange.sendStatus(502, "Configuration not changed", [error])
    case nil: throw APIError(503, "Too many reloads wait")
    }
}

/// `{"status":0,"msg":"..."}`, as the pages for operators write it.
struct ServiceSurface: Surface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        body.append(#"{"status":1,"msg":"#)
        body.append(json: error.message)
        body.append("}")
    }
}

extension Exchange {
    fileprivate func sendStatus(_ status: Int, _ message: StaticString, _ errors: [String] = []) {
        var body = ByteBuffer()
        body.append(status == 200 ? #"{"status":0,"msg":""# : #"{"status":1,"msg":""#)
        body.append(message)
        body.append(#"""#)
        for (index, error) in errors.enumerated() {
            body.append(index == 0 ? #","errors":["# : ",")
            body.append(json: error)
        }
        body.append(errors.isEmpty ? "}" : "]}")
        send(status, json: body)
    }
}

extension ReloadAccess {
    fileprivate func permits(_ request: Request, _ settings: Settings) -> Bool {
        switch self {
        case .open: true
        case .local: request.peer.isLoopback && !request.isForwarded && request.isToThisMachine(settings)
        case .admin, .off: false
        }
    }
}
