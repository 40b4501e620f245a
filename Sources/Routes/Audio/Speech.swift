import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/audio/speech
func createSpeech(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.audio)
    let call = try await exchange.json { (root) throws(APIError) in try SpeechCall(root) }
    exchange.record.model = call.model
    let candidate = try gateway.registry.candidate(call.model, for: caller, able: .textToSpeech)
    guard let provider = candidate.speech else { throw .modelNotFound(call.model) }
    let speech = try provider.prepare(call, for: candidate.model)
    try await exchange.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .audio, exchange.request, model: candidate.name)
    let admission = try await exchange.admit(cover, CallTerms(images: 0, calls: 1, candidate, cover, gateway))
    let sheet = admission.sheet
    do throws(UpstreamError) {
        try await Candidates([candidate]).first(billing: sheet) { (_, vendorCall) async throws(UpstreamError) in
            do throws(UpstreamError) {
                let audio = try await vendorCall.attempt { () async throws(UpstreamError) in
                    try await speech.open(by: vendorCall)
                }
                try await exchange.pass(audio)
                sheet.made(credits: audio.credits)
            } catch {
                sheet.failed(error)
                throw error
            }
        }
    } catch {
        throw APIError(error, model: call.model)
    }
}
