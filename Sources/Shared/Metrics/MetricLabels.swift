/// The values of labels, fixed when the process starts.
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

    /// Of requests that name no model: to Prometheus an empty label is an absent one.
    static let noModel = ""
}
