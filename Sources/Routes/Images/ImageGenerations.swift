import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/images/generations
func imageGenerations(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.images)
    let call = try await exchange.json { (root) throws(APIError) in try ImageCall(generation: root) }
    exchange.record.model = call.model
    let candidate = try gateway.registry.candidate(call.model, for: caller, able: .image)
    guard let provider = candidate.images else { throw .modelNotFound(call.model) }
    let images = try provider.prepare(call, for: candidate.model)
    try await exchange.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .images, exchange.request, model: candidate.name)
    let terms = CallTerms(images: call.count ?? 1, calls: images.calls, candidate, cover, gateway)
    let admission = try await exchange.admit(cover, terms)
    let memory = gateway.memory(of: caller)
    do throws(UpstreamError) {
        try await Candidates([candidate]).first(billing: admission.sheet) {
            (_, vendorCall) async throws(UpstreamError) in
            try await answerImages(images, call, candidate.model, memory, vendorCall, exchange)
        }
    } catch {
        throw APIError(error, model: call.model)
    }
}
