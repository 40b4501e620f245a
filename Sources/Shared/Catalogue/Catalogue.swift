/// Models by id, and in the order in which they are listed.
package struct Catalogue: Sendable {
    package let models: [Model]
    private let indexByID: [String: Int]

    /// Of two models with one id the first counts.
    package init(_ models: [Model]) {
        var kept: [Model] = []
        var indexByID: [String: Int] = [:]
        for model in models where indexByID[model.id] == nil {
            indexByID[model.id] = kept.count
            kept.append(model)
        }
        self.models = kept
        self.indexByID = indexByID
    }

    /// The model of that id, or that the id is short for.
    package func model(_ id: String) -> Model? {
        let index = indexByID[id] ?? ShortNames.id(of: id).flatMap { indexByID[$0] }
        return index.map { models[$0] }
    }

    /// As the vendor wants it; a name that nobody knows is the vendor's to judge.
    func id(_ name: String) -> String { model(name)?.id ?? name }

    /// What 1min.ai offered when this version was made, as far as some endpoint serves it.
    package static let oneMin = Catalogue(
        OneMinModels.table.utf8.split(separator: UInt8(ascii: "\n")).compactMap { Model(line: $0) }
    )
}
