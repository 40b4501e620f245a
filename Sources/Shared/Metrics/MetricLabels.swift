/// The values of labels: those of the settings, which grow when other settings come into use.
package struct MetricLabels: Sendable {
    package let routes: LabelNames
    package let models: LabelNames
    package let providers: LabelNames
    /// Known keys; what else has a key is `other`.
    package let callers: LabelNames

    package init(routes: [String], models: [String], providers: [String], callers: [String] = []) {
        self.routes = LabelNames(routes)
        self.models = LabelNames([Self.noModel] + models)
        self.providers = LabelNames(providers)
        self.callers = LabelNames(callers)
    }

    private init(_ old: MetricLabels, adding new: MetricLabels) {
        routes = old.routes
        models = old.models.adding(new.models)
        providers = old.providers.adding(new.providers)
        callers = old.callers.adding(new.callers)
    }

    package func adding(_ new: MetricLabels) -> MetricLabels { MetricLabels(self, adding: new) }

    /// Of requests that name no model: to Prometheus an empty label is an absent one.
    static let noModel = ""
}
