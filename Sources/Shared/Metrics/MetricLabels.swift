/// The values of labels: those of the settings, which grow when other settings come into use.
package struct MetricLabels: Sendable {
    package let routes: LabelNames
    package let models: LabelNames
    package let providers: LabelNames
    /// Known keys; what else has a key is `other`.
    package let callers: LabelNames
    /// The kinds of providers by their names, as `gen_ai.provider.name` calls them.
    let kinds: [String: String]

    /// - Parameter kinds: by the names of providers.
    package init(
        routes: [String],
        models: [String],
        providers: [String],
        callers: [String] = [],
        kinds: [String: String] = [:]
    ) {
        self.routes = LabelNames(routes)
        self.models = LabelNames([Self.noModel] + models)
        self.providers = LabelNames(providers)
        self.callers = LabelNames(callers)
        self.kinds = kinds
    }

    private init(_ old: MetricLabels, adding new: MetricLabels) {
        routes = old.routes
        models = old.models.adding(new.models)
        providers = old.providers.adding(new.providers)
        callers = old.callers.adding(new.callers)
        kinds = old.kinds.merging(new.kinds) { $1 }
    }

    package func adding(_ new: MetricLabels) -> MetricLabels { MetricLabels(self, adding: new) }

    /// Of requests that name no model: to Prometheus an empty label is an absent one.
    static let noModel = ""
}
