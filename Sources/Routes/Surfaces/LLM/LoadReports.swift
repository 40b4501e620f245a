import Engine
import Limits
import Shared
import Upstream

/// Authenticates the caller of a request for a load report, without rate limits. Throws if the key is not accepted.
private func admitReader(_ exchange: Exchange) async throws(APIError) {
    try await exchange.check(try await exchange.caller(.models))
}

/// Handles `GET /llm/system-load`: sends the used part of all providers' capacity, in percent.
func showSystemLoad(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let all = await ProviderLoad.all(gateway)
    let most = all.reduce(0) { $0 + $1.most }
    let percent = most > 0 ? all.reduce(0) { $0 + $1.used } / most * 100 : 0
    exchange.send(json: #"{"load_percent":\#(number: (percent * 100).rounded() / 100)}"#)
}

/// Handles `GET /llm/system-capacity`: sends the capacity of all providers, as totals and for each provider.
func showSystemCapacity(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let all = await ProviderLoad.all(gateway)
    let concurrency = all.filter(\.isOfCalls).reduce(0) { $0 + $1.most }
    let qps = all.filter { !$0.isOfCalls }.reduce(0) { $0 + $1.most }
    let totals: JSONFragment = #"{"concurrency":\#(number: concurrency),"qps":\#(number: qps)}"#
    let details: JSONFragment = #"{\#(members: all.map { ($0.model, $0.json(isFull: false)) })}"#
    exchange.send(json: #"{"total_max":\#(totals),"details":\#(details),"total":\#(totals),"models":\#(details)}"#)
}

/// Handles `GET /llm/model-load/{model}`: sends the load of a provider and its keys. `{model}` is the provider's name
/// in the load reports (see `ProviderLoad`).
func showModelLoad(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    exchange.send(json: try await ProviderLoad.of(exchange.named ?? "", gateway).json(isFull: true))
}

/// Handles `GET /llm/key-load/{model}/{key}`: sends the load of one key, named by label or value.
func showKeyLoad(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let named = exchange.named ?? ""
    // A label may contain slashes, and so may a key.
    let models = ProviderLoad.models(gateway).map(\.name).filter { named.utf8.starts(with: "\($0)/".utf8) }
    let model = models.max { $0.utf8.count < $1.utf8.count } ?? String(Substring(named.utf8.prefix { $0 != 47 }))
    let load = try await ProviderLoad.of(model, gateway)
    let wanted = String(Substring(named.utf8.dropFirst(model.utf8.count + 1)))
    let digest = Digest(of: wanted)
    let index = load.keys.indices.first {
        wanted.hasSameBytes(as: "k\($0 + 1)") || Digest(of: load.keys[$0].credential.key) == digest
    }
    guard let index else { throw APIError(404, "API key not found") }
    let key = load.keys[index]
    exchange.send(
        json: #"""
            {"model":\#(model),"key":"k\#(index + 1)","weight":\#(key.weight),"current":\#(number: key.load.used),\#
            "max":\#(number: key.load.most)}
            """#
    )
}

/// Handles `GET /llm/models`: lists the names of the providers with a capacity limit.
func listLoadedModels(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    exchange.send(json: #"{"models":\#(ProviderLoad.models(gateway).map(\.name))}"#)
}

/// Handles `GET /llm/keys/{model}`: lists the labels and weights of a provider's keys, without loads. `{model}` is the
/// provider's name in the load reports (see `ProviderLoad`).
func listLoadedKeys(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let load = try await ProviderLoad.of(exchange.named ?? "", gateway)
    exchange.send(json: #"{"model":\#(load.model),"keys":\#(load.keys(haveLoads: false))}"#)
}
