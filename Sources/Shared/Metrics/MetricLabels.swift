/// The possible values of all metrics labels. A reload of the settings can add values.
package struct MetricLabels: Sendable {
    package let routes: LabelNames
    package let models: LabelNames
    package let providers: LabelNames
    /// The names of known callers. All other callers with a key count as `other`.
    package let callers: LabelNames
    /// The value of the label `gen_ai.provider.name` for each provider, by the provider's name.
    let kinds: [String: String]

    /// - Parameter kinds: the values of the label `gen_ai.provider.name`, by the provider's name.
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

    /// The label value for requests without a model. Prometheus treats an empty label as an absent one.
    static let noModel = ""
}
