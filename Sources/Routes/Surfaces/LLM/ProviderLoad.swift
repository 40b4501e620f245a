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

    /// Returns the loads of all providers with a capacity limit, except those with passthrough keys.
    static func all(_ gateway: Gateway) async -> [ProviderLoad] {
        var loads: [ProviderLoad] = []
        for (index, model) in models(gateway) {
            if let load = await load(index, model, gateway: gateway) { loads.append(load) }
        }
        return loads
    }

    /// Returns the load of the provider that `/llm` reports under this model name.
    ///
    /// Throws an error with status 404 if no such provider has a capacity limit.
    static func of(_ model: String, _ gateway: Gateway) async throws(APIError) -> ProviderLoad {
        for (index, name) in models(gateway) where name.hasSameBytes(as: model) {
            if let load = await load(index, name, gateway: gateway) { return load }
        }
        throw APIError(404, "Model \(model.beginning(ofBytes: 100)) not found")
    }

    /// Returns the providers with a capacity limit, except those with passthrough keys. Each has its index in the
    /// registry and its name in the load reports.
    static func models(_ gateway: Gateway) -> [(index: Int, name: String)] {
        let indices = gateway.registry.entries.indices.filter {
            gateway.registry.entries[$0].capacity != nil && !gateway.registry.entries[$0].isPassthrough
        }
        let providers = gateway.settings.providers
        let labels = indices.map { providers[$0].label }
        return zip(indices, labels).map { index, label in
            (index, labels.count(where: { $0 == label }) > 1 ? providers[index].name : label)
        }
    }

    private static func load(_ index: Int, _ model: String, gateway: Gateway) async -> ProviderLoad? {
        let entry = gateway.registry.entries[index]
        guard let capacity = entry.capacity else { return nil }
        let keys = entry.keys?.all ?? [(.none, 1)]
        let loads = await capacity.loads(of: keys.map(\.credential), on: gateway.loop)
        return ProviderLoad(
            model: model,
            weight: gateway.registry.modelCatalog.generating(at: index)?.servedModel.rank.weight ?? 1,
            isOfCalls: capacity.isOfCalls,
            keys: zip(keys, loads).map { Key(credential: $0.credential, weight: $0.weight, load: $1) }
        )
    }

    // MARK: JSON

    /// Returns the load of the provider and its keys as a JSON object, with the provider's name if `isFull`.
    func json(isFull: Bool) -> JSONFragment {
        #"""
        {\#(member: "model", isFull ? model : nil),"type":\#(isOfCalls ? "concurrency" : "qps"),"current":\#(number: used),\#
        "max":\#(number: most),"weight":\#(weight),"keys":\#(keys(haveLoads: true))}
        """#
    }

    /// Returns the labels and weights of the keys, with or without their loads, as JSON objects.
    func keys(haveLoads: Bool) -> [JSONFragment] {
        keys.enumerated().map { index, key in
            let load: JSONFragment? = haveLoads ? "\(number: key.load.used)" : nil
            return #"{"key":"k\#(index + 1)","weight":\#(key.weight)\#(member: "current", load)}"#
        }
    }
}

extension JSONFragment.StringInterpolation {
    /// Appends a number. A whole number is written without a decimal point.
    mutating func appendInterpolation(number: Double) {
        if let whole = Int(exactly: number) { appendInterpolation(whole) } else { appendInterpolation(number) }
    }
}
