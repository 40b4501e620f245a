import Calls
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
    var body = ByteBuffer()
    body.append(#"{"load_percent":"#)
    body.append(number: (percent * 100).rounded() / 100)
    body.append("}")
    exchange.send(json: body)
}

/// Handles `GET /llm/system-capacity`: sends the capacity of all providers, as totals and for each provider.
func showSystemCapacity(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let all = await ProviderLoad.all(gateway)
    var totals = ByteBuffer()
    totals.append(#"{"concurrency":"#)
    totals.append(number: all.filter(\.isOfCalls).reduce(0) { $0 + $1.most })
    totals.append(#","qps":"#)
    totals.append(number: all.filter { !$0.isOfCalls }.reduce(0) { $0 + $1.most })
    totals.append("}")
    var details = ByteBuffer()
    for load in all {
        details.append(details.isEmpty ? "{" : ",")
        details.append(json: load.model)
        details.append(":")
        load.append(isFull: false, to: &details)
    }
    details.append(details.isEmpty ? "{}" : "}")
    var body = ByteBuffer()
    body.append(#"{"total_max":"#)
    body.append(totals.bytes)
    body.append(#","details":"#)
    body.append(details.bytes)
    body.append(#","total":"#)
    body.append(totals.bytes)
    body.append(#","models":"#)
    body.append(details.bytes)
    body.append("}")
    exchange.send(json: body)
}

/// Handles `GET /llm/model-load/{model}`: sends the load of a provider and its keys. `{model}` is the provider's name
/// in the load reports (see `ProviderLoad`).
func showModelLoad(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let load = try await ProviderLoad.of(exchange.named ?? "", gateway)
    var body = ByteBuffer()
    load.append(isFull: true, to: &body)
    exchange.send(json: body)
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
    let position = load.keys.indices.first {
        wanted.hasSameBytes(as: "k\($0 + 1)") || Digest(of: load.keys[$0].credential.key) == digest
    }
    guard let position else { throw APIError(404, "API key not found") }
    let key = load.keys[position]
    var body = ByteBuffer()
    body.append(#"{"model":"#)
    body.append(json: model)
    body.append(#","key":"k"#)
    body.append(decimal: position + 1)
    body.append(#"","weight":"#)
    body.append("\(key.weight)")
    body.append(#","current":"#)
    body.append(number: key.load.used)
    body.append(#","max":"#)
    body.append(number: key.load.most)
    body.append("}")
    exchange.send(json: body)
}

/// Handles `GET /llm/models`: lists the names of the providers with a capacity limit.
func listLoadedModels(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    var body = ByteBuffer()
    body.append(#"{"models":["#)
    for (index, model) in ProviderLoad.models(gateway).enumerated() {
        if index > 0 { body.append(",") }
        body.append(json: model.name)
    }
    body.append("]}")
    exchange.send(json: body)
}

/// Handles `GET /llm/keys/{model}`: lists the labels and weights of a provider's keys, without loads. `{model}` is the
/// provider's name in the load reports (see `ProviderLoad`).
func listLoadedKeys(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    try await admitReader(exchange)
    let load = try await ProviderLoad.of(exchange.named ?? "", gateway)
    var body = ByteBuffer()
    load.append(keysTo: &body)
    exchange.send(json: body)
}
