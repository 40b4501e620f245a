import Engine
import Shared
import Upstream

/// GET /v1/models: what the caller may use. Without a key all of a pass-through provider's models are shown; a key that
/// is given is checked with the vendor.
func listModels(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let models = try await visibleModels(responder, gateway)
    var body = ByteBuffer()
    body.append(#"{"object":"list","data":["#)
    for (index, model) in models.enumerated() {
        if index > 0 { body.append(",") }
        append(model, to: &body)
    }
    body.append("]}")
    responder.send(json: body)
}

/// GET /v1/models/{id}; an id may hold slashes, plain or escaped.
func showModel(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    let models = try await visibleModels(responder, gateway)
    let path = responder.request?.path.text ?? ""
    let id = String(path.dropFirst(path.hasPrefix("/v1/") ? 11 : 8))
    guard let model = models.first(where: { $0.id == id }) else { throw .modelNotFound(id) }
    var body = ByteBuffer()
    append(model, to: &body)
    responder.send(json: body)
}

private func visibleModels(_ responder: Responder, _ gateway: Gateway) async throws(APIError) -> [Registry.Listed] {
    guard let request = responder.request else { return [] }
    guard let key = try request.bearer(), gateway.callers.arePassedThrough else {
        if gateway.callers.arePassedThrough { return gateway.registry.models(for: .passThrough(key: "")) }
        return gateway.registry.models(for: try gateway.callers.caller(of: request))
    }
    responder.record.caller = callerDigest(key)
    guard await gateway.verdicts.isGood(key, gateway) else {
        throw Task.isCancelled ? .clientLeft : .wrongKey(key)
    }
    return gateway.registry.models(for: .passThrough(key: key))
}

/// 2024-09-27, where nothing better is known.
private let created = 1_727_389_042

private func append(_ model: Registry.Listed, to body: inout ByteBuffer) {
    body.append(#"{"id":"#)
    body.append(json: model.id)
    body.append(#","object":"model","created":"#)
    body.append(decimal: created)
    body.append(#","owned_by":"#)
    body.append(json: model.owner)
    body.append("}")
}
