import Engine
import Limits
import Shared
import Upstream

/// Counts the request in the limits, and returns the number of tokens in a call's prompt.
func promptTokens(of call: ChatCall, for caller: Caller, _ exchange: Exchange) async throws(APIError) -> Int {
    let gateway = exchange.gateway
    let name = gateway.registry.modelCatalog.name(beforeWindowOf: call.model) ?? call.model
    exchange.record.model = name
    let candidate = try gateway.registry.chat(name, for: caller).leading
    let abilities = candidate.provider.abilities(for: call, of: candidate.model)
    try ChatEmulation.check(call, against: abilities)
    let form = candidate.chats ? try TextProtocol(call, lacking: abilities) : nil
    _ = try await exchange.admit(caller, .chat)
    let counter = TokenCounter.of(model: candidate.model.id)
    return try await gateway.worked(ofBytes: call.allTextBytes, weight: WorkQueue.countingWeight) {
        (form?.written(call) ?? call).allTokens(by: counter)
    }
}
