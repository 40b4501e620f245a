import Calls
import Engine
import Limits
import Shared
import Upstream

/// POST /v1/audio/speech
func createSpeech(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.audio)
    if try await exchange.forward(.speech, for: caller) { return }
    let call = try await exchange.json { (root) throws(APIError) in try SpeechCall(root) }
    exchange.record.model = call.model
    let candidates = try gateway.registry.candidates(call.model, for: caller, able: .textToSpeech)
    let candidate = candidates.leading
    _ = try prepare(call, candidate)
    try await exchange.countStray(caller, servedBy: candidate)
    let cover = gateway.limits.cover(caller, .audio, exchange.request, model: candidate.name)
    let admission = try await exchange.admit(cover, CallTerms(images: 0, calls: 1, candidate, cover, gateway))
    let sheet = admission.sheet
    do throws(UpstreamError) {
        try await candidates.first(billing: sheet) { (candidate, vendorCall) async throws(UpstreamError) in
            let speech = try prepared(call, candidate)
            var hasBegun = false
            do throws(UpstreamError) {
                let audio = try await vendorCall.attempt { () async throws(UpstreamError) in
                    try await speech.open(by: vendorCall)
                }
                hasBegun = true
                try await exchange.pass(audio)
                sheet.made(credits: audio.credits)
            } catch {
                sheet.failed(error)
                var error = error
                if hasBegun { error.remedy = [] }
                throw error
            }
        }
    } catch {
        throw APIError(error, model: call.model)
    }
}

private func prepare(_ call: SpeechCall, _ candidate: Candidate) throws(APIError) -> any PreparedSpeech {
    guard let provider = candidate.speech else { throw .modelNotFound(call.model) }
    return try provider.prepare(call, for: candidate.model)
}

private func prepared(_ call: SpeechCall, _ candidate: Candidate) throws(UpstreamError) -> any PreparedSpeech {
    do throws(APIError) {
        return try prepare(call, candidate)
    } catch {
        throw UpstreamError(skipping: error)
    }
}
