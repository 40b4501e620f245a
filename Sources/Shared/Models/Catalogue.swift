/// Models by id, and in the order in which they are listed.
package struct Catalogue: Sendable {
    package let models: [Model]
    /// Gives the id that a name is short for; nil: the name is not a short one.
    let fullID: @Sendable (String) -> String?
    /// Gives the name that is short for an id; nil: there is none.
    let shortName: @Sendable (String) -> String?
    private let indexByID: [String: Int]

    /// Of two models with one id the first counts.
    package init(
        _ models: [Model],
        fullID: @escaping @Sendable (String) -> String? = { _ in nil },
        shortName: @escaping @Sendable (String) -> String? = { _ in nil }
    ) {
        var kept: [Model] = []
        var indexByID: [String: Int] = [:]
        for model in models where indexByID[model.id] == nil {
            indexByID[model.id] = kept.count
            kept.append(model)
        }
        self.models = kept
        self.fullID = fullID
        self.shortName = shortName
        self.indexByID = indexByID
    }

    /// The model of that id, or that the id is short for.
    package func model(_ id: String) -> Model? {
        let index = indexByID[id] ?? fullID(id).flatMap { indexByID[$0] }
        return index.map { models[$0] }
    }

    /// As the vendor wants it; a name that nobody knows is the vendor's to judge.
    func id(_ name: String) -> String { model(name)?.id ?? name }
}
