import Engine
import Shared
import Upstream

/// POST /v1/audio/speech
func createSpeech(_ responder: Responder, _ gateway: Gateway) async throws(APIError) {
    guard let request = responder.request else { return }
    let caller = try await responder.caller(.audio)
    let call = try await responder.json { (root) throws(APIError) in try SpeechCall(root) }
    responder.record.model = call.model
    let candidate = try gateway.registry.candidate(call.model, for: caller, able: .textToSpeech)
    guard let provider = candidate.provider as? any SpeechProvider else { throw .modelNotFound(call.model) }
    let speech = try provider.prepare(call, for: candidate.model, key: candidate.credential.key)
    try await responder.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .audio, request, model: candidate.name)
    try await responder.admit(cover, Meter(images: 0, calls: 1, candidate, cover, gateway))
    responder.provider = candidate.provider.name
    do throws(UpstreamError) {
        let audio = try await responder.attempt { () async throws(UpstreamError) in try await speech.open() }
        try await responder.pass(audio)
        responder.meter?.made(credits: audio.credits)
    } catch {
        responder.meter?.failed(error)
        throw APIError(error, model: call.model, candidate.credential)
    }
}
