import Calls
import Engine
import Shared
import Upstream

/// The load of a provider and of each of its keys, over all instances.
struct ProviderLoad {
    struct Key {
        let credential: Credential
        let weight: Double
        let load: Capacity.Load
    }

    /// The provider's name in the load reports, which call a provider a model. It is the provider's label, or the full
    /// name if another provider has the same label.
    let model: String
    let weight: Double
    let isOfCalls: Bool
    let keys: [Key]

    var used: Double { keys.reduce(0) { $0 + $1.load.used } }
    var most: Double { keys.reduce(0) { $0 + $1.load.most } }
    var type: StaticString { isOfCalls ? "concurrency" : "qps" }

    /// Returns the loads of all providers with a capacity limit, except those with passthrough keys.
    static func all(_ gateway: Gateway) async -> [ProviderLoad] {
        var loads: [ProviderLoad] = []
        for (position, model) in models(gateway) {
            if let load = await load(position, model, gateway: gateway) { loads.append(load) }
        }
        return loads
    }

    /// Returns the load of the provider that `/llm` reports under this model name.
    ///
    /// Throws an error with status 404 if no such provider has a capacity limit.
    static func of(_ model: String, _ gateway: Gateway) async throws(APIError) -> ProviderLoad {
        for (position, name) in models(gateway) where name.hasSameBytes(as: model) {
            if let load = await load(position, name, gateway: gateway) { return load }
        }
        throw APIError(404, "Model \(model.beginning(ofBytes: 100)) not found")
    }

    /// Returns the providers with a capacity limit, except those with passthrough keys. Each has its index in the
    /// registry and its name in the load reports.
    static func models(_ gateway: Gateway) -> [(position: Int, name: String)] {
        let positions = gateway.registry.entries.indices.filter {
            gateway.registry.entries[$0].capacity != nil && !gateway.registry.entries[$0].isPassthrough
        }
        let providers = gateway.settings.providers
        let labels = positions.map { providers[$0].label }
        return zip(positions, labels).map { position, label in
            (position, labels.count(where: { $0 == label }) > 1 ? providers[position].name : label)
        }
    }

    private static func load(_ position: Int, _ model: String, gateway: Gateway) async -> ProviderLoad? {
        let entry = gateway.registry.entries[position]
        guard let capacity = entry.capacity else { return nil }
        let keys = entry.keys?.all ?? [(.none, 1)]
        let loads = await capacity.loads(of: keys.map(\.credential), on: gateway.loop)
        return ProviderLoad(
            model: model,
            weight: gateway.registry.modelCatalog.generating(at: position)?.servedModel.rank.weight ?? 1,
            isOfCalls: capacity.isOfCalls,
            keys: zip(keys, loads).map { Key(credential: $0.credential, weight: $0.weight, load: $1) }
        )
    }

    // MARK: JSON

    /// Appends the load of the provider and its keys as a JSON object.
    ///
    /// - Parameter isFull: whether to include the provider's name.
    func append(isFull: Bool, to body: inout ByteBuffer) {
        body.append("{")
        if isFull {
            body.append(#""model":"#)
            body.append(json: model)
            body.append(",")
        }
        body.append(#""type":""#)
        body.append(type)
        body.append(#"","current":"#)
        body.append(number: used)
        body.append(#","max":"#)
        body.append(number: most)
        body.append(#","weight":"#)
        body.append("\(weight)")
        body.append(#","keys":["#)
        for (position, key) in keys.enumerated() {
            if position > 0 { body.append(",") }
            key.append(position, hasLoad: true, to: &body)
        }
        body.append("]}")
    }

    func append(keysTo body: inout ByteBuffer) {
        body.append(#"{"model":"#)
        body.append(json: model)
        body.append(#","keys":["#)
        for (position, key) in keys.enumerated() {
            if position > 0 { body.append(",") }
            key.append(position, hasLoad: false, to: &body)
        }
        body.append("]}")
    }
}

extension ProviderLoad.Key {
    fileprivate func append(_ position: Int, hasLoad: Bool, to body: inout ByteBuffer) {
        body.append(#"{"key":"k"#)
        body.append(decimal: position + 1)
        body.append(#"","weight":"#)
        body.append("\(weight)")
        if hasLoad {
            body.append(#","current":"#)
            body.append(number: load.used)
        }
        body.append("}")
    }
}

extension ByteBuffer {
    /// Appends a number as JSON. A whole number is written without a decimal point.
    mutating func append(number: Double) {
        if let whole = Int(exactly: number) { append(decimal: whole) } else { append("\(number)") }
    }
}
