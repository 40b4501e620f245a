import Calls
import Engine
import Limits
import Shared
import Upstream

/// Handles POST /v1/audio/speech: turns text into speech.
func createSpeech(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.audio)
    let own = TranslatedSpeech(exchange)
    if try await exchange.forward(.speech, for: caller, or: own) { return }
    let call = try await own.read()
    exchange.record.model = call.model
    let candidates = try gateway.registry.candidates(call.model, for: caller, able: .textToSpeech)
    let candidate = candidates.leading
    _ = try await own.calls(candidate)
    try await exchange.countUnknownKey(caller, servedBy: candidate)
    let applicableLimits = exchange.applicableLimits(caller, .audio, servedBy: candidate.name)
    let admission = try await exchange.admit(
        applicableLimits,
        UsageReservation(images: 0, calls: 1, candidate, applicableLimits, gateway: gateway)
    )
    do throws(UpstreamError) {
        try await candidates.serve(own, candidates.attempts(billing: admission.billing))
    } catch {
        throw APIError(error, model: call.model)
    }
}

/// The translation of a speech request for vendors that do not accept OpenAI's form of the request.
private final class TranslatedSpeech: TranslatedEndpoint, OnLoop, @unchecked Sendable {
    private let exchange: Exchange
    private var call: SpeechCall?

    init(_ exchange: Exchange) { self.exchange = exchange }

    /// Returns the speech call that the request body describes. Reads the body only once.
    func read() async throws(APIError) -> SpeechCall {
        if let call { return call }
        let read = try await exchange.json { (root) throws(APIError) in try SpeechCall(root) }
        call = read
        return read
    }

    func calls(_ candidate: Candidate) async throws(APIError) -> Int {
        _ = try await prepared(candidate)
        return 1
    }

    private func prepared(_ candidate: Candidate) async throws(APIError) -> any PreparedSpeech {
        let call = try await read()
        guard let provider = candidate.speech else { throw .modelNotFound(call.model) }
        return try provider.prepare(call, for: candidate.model)
    }

    func serve(_ candidate: Candidate, _ attempt: Attempt) async throws(UpstreamError) {
        let fit: Fitted<any PreparedSpeech>
        do throws(APIError) { fit = try await self.fit(candidate, at: 0) } catch {
            throw UpstreamError(skipping: error)
        }
        try await open(fit, attempt)
    }
}

extension TranslatedSpeech: UpstreamTask {
    var hasBegun: Bool { exchange.hasBegun }

    func fit(_ candidate: Candidate, at position: Int) async throws(APIError) -> Fitted<any PreparedSpeech> {
        Fitted(candidate, try await prepared(candidate))
    }

    func open(_ fit: Fitted<any PreparedSpeech>, _ attempt: Attempt) async throws(UpstreamError) {
        do throws(UpstreamError) {
            let audio = try await attempt.retrying { () async throws(UpstreamError) in
                try await fit.prepared.open(by: attempt)
            }
            try await exchange.pass(audio)
            attempt.made(credits: audio.credits)
        } catch {
            attempt.failed(error)
            throw error
        }
    }
}
