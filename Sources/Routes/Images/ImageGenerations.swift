import Calls
import Engine
import Limits
import Shared
import Upstream

/// Handles POST /v1/images/generations: makes images from a prompt.
func imageGenerations(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.images)
    let own = TranslatedImages(exchange, caller) { () async throws(APIError) in
        let call = try await exchange.json { (root) throws(APIError) in try ImageCall(generation: root) }
        return TranslatedImages.Order(call: call, features: .image)
    }
    if try await exchange.forward(.imageGenerations, for: caller, or: own) { return }
    let call = try await exchange.json { (root) throws(APIError) in try ImageCall(generation: root) }
    exchange.record.model = call.model
    let candidates = try gateway.registry.candidates(call.model, for: caller, able: .image)
    let candidate = candidates.leading
    let images = try prepare(call, candidate)
    try await exchange.countUnknownKey(caller, servedBy: candidate)
    let applicableLimits = exchange.applicableLimits(caller, .images, servedBy: candidate.name)
    let usageReservation = UsageReservation(
        images: call.count ?? 1,
        calls: images.calls,
        candidate,
        applicableLimits,
        gateway: gateway
    )
    let admission = try await exchange.admit(applicableLimits, usageReservation)
    try await ImagesTask(call, for: caller, exchange).serve(candidates, admission.billing)
}
