import Engine
import Glibc
import Shared
import Synchronization

/// GET /
func showRoot(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let settings = gateway.settings
    let address = settings.publicURL ?? "http://\(host(responder.request, settings))"
    var body = ByteBuffer()
    let accept = responder.request?[.accept]
    var scan = ByteScan(accept ?? UnsafeRawBufferPointer(start: nil, count: 0))
    if scan.find("application/json") {
        body.append(#"{"name":"#)
        body.append(json: Product.name)
        body.append(#","version":"#)
        body.append(json: Product.version)
        body.append(#","url":"#)
        body.append(json: address)
        body.append("}")
        return responder.send(json: body)
    }
    body.append("Congratulations! Your API is working! You can now make requests to the API.\n\nEndpoint: ")
    body.append(address)
    body.append("/v1")
    responder.send(200, type: "text/plain; charset=utf-8", body: body)
}

/// Where clients find the relay: on all addresses of a machine that is the one that this client used.
private func host(_ request: Request?, _ settings: Settings) -> String {
    guard settings.host == "0.0.0.0" || settings.host == "::" else {
        return "\(settings.host.contains(":") ? "[\(settings.host)]" : settings.host):\(settings.port)"
    }
    guard let used = request?[.host]?.text, !used.hasPrefix("0.0.0.0"), !used.hasPrefix("[::]") else {
        return "127.0.0.1:\(settings.port)"
    }
    return used
}

/// GET /health
func showHealth(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    sendStatus(200, "ok", responder)
}

/// GET /ready: 503 once the process is stopping.
func showReadiness(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let isDraining = gateway.process.isDraining.load(ordering: .relaxed)
    sendStatus(isDraining ? 503 : 200, isDraining ? "draining" : "ok", responder)
}

private func sendStatus(_ status: Int, _ word: StaticString, _ responder: Responder) {
    var body = ByteBuffer()
    body.append(#"{"status":""#)
    body.append(word)
    body.append(#"","timestamp":""#)
    body.append(Timestamp.text(second: time(nil)))
    body.append(#""}"#)
    responder.send(status, json: body)
}
