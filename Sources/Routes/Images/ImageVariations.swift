import Calls
import Engine
import Limits
import Shared
import Upstream

/// The models that are tried, in this order, if the requested model fails or cannot make variations.
private let otherModels = [
    "magic-art_7_0", "magic-art_6_1", "magic-art", "midjourney_7_0", "midjourney_6_1", "midjourney", "dall-e-2",
]

/// Handles POST /v1/images/variations: makes variations of an image.
func imageVariations(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.images)
    let others: TranslatedImages.AlternativeCandidates = { standIns(for: $0, besides: $1, caller, gateway) }
    let own = TranslatedImages(exchange, caller, standIns: others) { () async throws(APIError) in
        let form = try await exchange.heldForm(files: ["image"], fileLimitBytes: imageLimitBytes)
        var call = try ImageCall(variation: FormFields(form.fields))
        call.image = try editedImage(in: form)
        return TranslatedImages.Order(call: call, features: .imageVariation)
    }
    if try await exchange.forward(.imageVariations, for: caller, or: own) { return }
    let form = try await exchange.form(files: ["image"], fileLimitBytes: imageLimitBytes)
    var call = try ImageCall(variation: FormFields(form.fields))
    exchange.record.model = call.model
    call.image = try editedImage(in: form)
    let named = try gateway.registry.candidates(
        call.model,
        for: caller,
        able: [.image, .imageEdit, .imageInpaint, .imageVariation]
    )
    guard let candidates = varying(named, call, caller: caller, gateway: gateway) else {
        throw .unsupportedValue("model", "does not support variations, and this key may use no other model that does")
    }
    let first = candidates.firstHealthy
    // The caller has to change options that the requested model does not support.
    let images = try prepare(call, first)
    try await exchange.countUnknownKey(caller, servedBy: first)
    let applicableLimits = exchange.applicableLimits(caller, .images, servedBy: named.leading.name)
    let usageReservation = UsageReservation(
        images: call.count ?? 1,
        calls: images.calls,
        first,
        applicableLimits,
        gateway: gateway
    )
    let admission = try await exchange.admit(applicableLimits, usageReservation)
    try await ImagesTask(call, for: caller, exchange).serve(candidates, admission.billing)
}

/// Returns the candidates that can make the variations, first those of the requested model; nil if there are none.
private func varying(_ named: Candidates, _ call: ImageCall, caller: Caller, gateway: Gateway) -> Candidates? {
    let others = standIns(for: call, besides: named, caller, gateway)
    let own = named.replaced { $0.model.features.contains(.imageVariation) ? $0 : nil }
    if let own, own.count > 1 { return own.then(others) }
    // The requested model stays first, even if its circuit breaker is open.
    let all = (own.map { [$0.leading] } ?? []) + others
    return all.isEmpty ? nil : Candidates(inOrder: all)
}

/// Returns candidates that can make the requested variations with models that `named` does not contain.
private func standIns(
    for call: ImageCall,
    besides named: Candidates,
    _ caller: Caller,
    _ gateway: Gateway
) -> [Candidate] {
    let own = (0..<named.count).map { named[$0].model.id }
    return otherModels.compactMap { name in
        guard !own.contains(name), !gateway.registry.modelCatalog[name].isEmpty,
            let other = try? gateway.registry.candidates(name, for: caller, able: .imageVariation).firstHealthy,
            (try? prepare(call, other)) != nil
        else { return nil }
        return other
    }
}
