import Engine
import Shared
import Upstream

/// What is tried, in this order, where the model that was asked for fails or does not vary.
private let otherModels = [
    "magic-art_7_0", "magic-art_6_1", "magic-art", "midjourney_7_0", "midjourney_6_1", "midjourney", "dall-e-2",
]

/// POST /v1/images/variations
func imageVariations(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try await responder.caller(.images)
    let form = try await responder.form(files: ["image"], fileLimitBytes: pictureLimitBytes)
    var call = try ImageCall(variation: FormFields(form.fields))
    responder.record.model = call.model
    call.picture = try picture(in: form)
    let named = try gateway.registry.candidate(
        call.model,
        for: caller,
        able: [.image, .imageEdit, .imageInpaint, .imageVariation]
    )
    let candidates = varying(named, call, caller, gateway)
    guard let first = candidates.first else {
        throw .value("model", "it makes no variations, nor does another that may be used", code: "unsupported_value")
    }
    // A wish that the named model cannot fulfil is the caller's to change.
    let images = try prepare(call, first)
    try await responder.countStray(caller, servedBy: first)
    let cover = gateway.limits.cover(caller, .images, request, model: named.name)
    let meter = Meter(images: call.count ?? 1, calls: images.calls, first, cover, gateway)
    try await responder.admit(cover, meter)
    try await tryAll(candidates, call, gateway.memory(of: caller), responder)
}

/// Who may serve the call: the model that was named, if it varies, then the others that fit.
private func varying(
    _ named: Registry.Candidate,
    _ call: ImageCall,
    _ caller: Caller,
    _ gateway: Gateway
) -> [Registry.Candidate] {
    var candidates = named.model.features.contains(.imageVariation) ? [named] : []
    for name in otherModels where name != named.model.id && gateway.registry.offers[name].isEmpty == false {
        guard let other = try? gateway.registry.candidate(name, for: caller, able: .imageVariation),
            (try? prepare(call, other)) != nil
        else { continue }
        candidates.append(other)
    }
    return candidates
}

private func prepare(_ call: ImageCall, _ candidate: Registry.Candidate) throws(APIError) -> any PreparedImages {
    guard let provider = candidate.provider as? any ImageProvider else { throw .modelNotFound(call.model) }
    return try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
}

/// The first that succeeds answers; if none does, the first failure counts.
private func tryAll(
    _ candidates: [Registry.Candidate],
    _ call: ImageCall,
    _ memory: ImageMemory,
    _ responder: Responder
) async throws(APIError) {
    var failure: APIError?
    for (index, candidate) in candidates.enumerated() {
        let images = try prepare(call, candidate)
        responder.provider = candidate.provider.name
        if index > 0 { responder.attempts += 1 }
        do throws(UpstreamError) {
            return try await answerImages(images, call, candidate.model, memory, responder)
        } catch {
            let said = APIError(error, model: call.model, candidate.credential)
            guard error.isOfModel else { throw said }
            failure = failure ?? said
        }
    }
    if let failure { throw failure }
}

extension UpstreamError {
    /// Another model may do better.
    fileprivate var isOfModel: Bool {
        switch kind {
        case .failed, .unavailable, .unknownModel: true
        default: false
        }
    }
}
