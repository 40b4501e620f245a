import Engine
import Limits
import Shared
import Upstream

/// The models that are tried, in this order, if the requested model fails or cannot make variations.
private let otherModels = [
    "magic-art_7_0", "magic-art_6_1", "magic-art", "midjourney_7_0", "midjourney_6_1", "midjourney", "dall-e-2",
]

func variation(_ content: RequestContent) async throws(APIError) -> ImageOperation.Order {
    let form = try await content.formStream(files: ["image"]).whole()
    var call = try ImageCall(variation: FormFields(form.fields))
    call.image = try editedImage(in: form)
    let fields = ForwardedFields(form.fields, images: call.count ?? 1)
    return ImageOperation.Order(call: call, fields: fields, features: .imageVariation)
}

/// Returns the candidates for the variations, first those of the requested model. Throws if there are none, or if the
/// requested model does not support an option.
func varying(
    _ named: Candidates,
    _ call: ImageCall,
    _ caller: Caller,
    _ gateway: Gateway
) throws(APIError) -> Candidates {
    let others = standIns(for: call, besides: named, caller, gateway)
    if named.canForward(.imageVariations) { return named.then(others) }
    let own = named.replaced { $0.model.features.contains(.imageVariation) ? $0 : nil }
    // The requested model stays first, even if its circuit breaker is open.
    let all = (own.map { [$0.leading] } ?? []) + others
    guard let first = own?.firstHealthy ?? all.first else {
        throw .unsupportedValue("model", "does not support variations, and this key may use no other model that does")
    }
    // The caller has to change options that the requested model does not support.
    _ = try first.images?.prepare(call, for: first.model)
    if let own, own.count > 1 { return own.then(others) }
    return Candidates(inOrder: all)
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
            (try? other.images?.prepare(call, for: other.model)) != nil
        else { return nil }
        return other
    }
}
