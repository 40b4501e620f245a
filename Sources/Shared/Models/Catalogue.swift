/// Models by id, and in the order in which they are listed.
package struct Catalogue: Sendable {
    package let models: [Model]
    /// Gives the id that a name is short for; nil: the name is not a short one.
    let fullID: @Sendable (String) -> String?
    /// Gives the name that is short for an id; nil: there is none.
    let shortName: @Sendable (String) -> String?
    /// Gives the name of the family of models that may take each other's short names; nil: there is none.
    let family: @Sendable (String) -> String?
    /// Names made for ids that are UUIDs and have no short name.
    private let madeNames: [String: String]
    /// Ids of models that the vendor does not serve any more.
    private let gone: Set<String>
    private let indexByID: [String: Int]

    /// Of two models with one id the first counts.
    package init(
        _ models: [Model],
        gone: Set<String> = [],
        madeNames: [String: String] = [:],
        family: @escaping @Sendable (String) -> String? = { _ in nil },
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
        self.gone = gone
        self.madeNames = madeNames
        self.family = family
        self.fullID = fullID
        self.shortName = shortName
        self.indexByID = indexByID
    }

    /// The model of that id, or that the id is short for.
    package func model(_ id: String) -> Model? {
        let index = indexByID[id] ?? fullID(id).flatMap { indexByID[$0] }
        return index.map { models[$0] }
    }

    /// Whether the vendor has said that it does not serve the model of that id, or that the id is short for.
    func isGone(_ id: String) -> Bool {
        !gone.isEmpty && model(id) == nil && (gone.contains(id) || fullID(id).map(gone.contains) ?? false)
    }

    /// The name that stands in lists in place of an id that is a UUID; nil: the id itself does.
    func listedName(of id: String) -> String? { id.isUUID ? shortName(id) ?? madeNames[id] : nil }

    /// As the vendor wants it; a name that nobody knows is the vendor's to judge.
    func id(_ name: String) -> String { model(name)?.id ?? name }
}

extension String {
    /// Whether this is a UUID in its usual form.
    var isUUID: Bool {
        guard utf8.count == 36 else { return false }
        return utf8.enumerated().allSatisfy { index, byte in
            if [8, 13, 18, 23].contains(index) { return byte == UInt8(ascii: "-") }
            return (48...57).contains(byte) || (97...102).contains(byte | 32)
        }
    }
}
