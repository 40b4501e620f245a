import Engine
import Limits
import Shared
import Upstream

/// Handles `POST /v1/messages/count_tokens`: sends the prompt's number of tokens.
///
/// A vendor with the same API counts them itself. If it cannot, and for all other vendors, the relay counts or estimates
/// them.
func countTokens(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    try exchange.checkMessagesVersion()
    let defaultModel = gateway.settings.defaultModel
    let reading = MessageReading(isCounted: true, toleratesUnknown: gateway.registry.speaks(.messages))
    let (call, original) = try await exchange.jsonAndOriginal({ _ in false }) { (root, _) throws(APIError) in
        try ChatCall(message: root, defaultModel: defaultModel, reading)
    }
    var headers = exchange.messageHeaders
    var name = call.model
    if let before = gateway.registry.modelCatalog.name(beforeWindowOf: name) {
        name = before
        headers.askForLongWindow()
    }
    let candidate = try gateway.registry.chat(name, for: caller).leading
    exchange.record.model = name
    guard let counter = candidate.provider as? any MessageTokenCounter,
        candidate.provider.wires.contains(.messages), original.isUnambiguous
    else {
        if let error = call.unreadError { throw error }
        var call = call
        call.quirks.owner = CallQuirks.Owner(caller)
        return send(try await promptTokens(of: call, for: caller, exchange), exchange)
    }
    let admission = try await exchange.admit(caller, .models)
    let request = OriginalRequest(original, of: .messages, headers)
    if let body = try await counted(request, counter, by: candidate, billing: admission.billing) {
        return body.read { exchange.send(json: $0) }
    }
    let weight = WorkQueue.countingWeight
    send(try await gateway.worked(ofBytes: call.allTextBytes, weight: weight) { call.roughTokens }, exchange)
}

/// Returns the vendor's response; nil if the vendor did not count. Throws if a part of the prompt is at the vendor.
private func counted(
    _ request: OriginalRequest,
    _ counter: any MessageTokenCounter,
    by candidate: Candidate,
    billing: Billing
) async throws(APIError) -> Body? {
    guard let attempt = try? await candidate.call(billing: billing) else { return nil }
    do throws(UpstreamError) {
        // The limit of these calls is not that of the key, so a refusal starts no cooldown.
        return try await attempt.unbilled(concernsKey: false) { () async throws(UpstreamError) in
            try await counter.tokenCount(of: request, for: candidate.model, by: attempt)
        }
    } catch {
        if let refusal = error.refusal, refusal.code == APIError.noThreadsCode { throw refusal }
        return nil
    }
}

private func send(_ tokens: Int, _ exchange: Exchange) { exchange.send(json: #"{"input_tokens":\#(tokens)}"#) }
