import Engine
import Shared
import Upstream

/// POST /v1/images/generations
func imageGenerations(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try await responder.caller(.images)
    let call = try await responder.json { (root) throws(APIError) in try ImageCall(generation: root) }
    responder.record.model = call.model
    let candidate = try gateway.registry.candidate(call.model, for: caller, able: .image)
    guard let provider = candidate.provider as? any ImageProvider else { throw .modelNotFound(call.model) }
    let images = try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
    try await responder.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .images, request, model: candidate.name)
    let meter = Meter(images: call.count ?? 1, calls: images.calls, candidate, cover, gateway)
    try await responder.admit(cover, meter)
    responder.provider = candidate.provider.name
    do throws(UpstreamError) {
        try await answerImages(images, call, candidate.model, gateway.memory(of: caller), responder)
    } catch {
        throw APIError(error, model: call.model, candidate.credential)
    }
}
