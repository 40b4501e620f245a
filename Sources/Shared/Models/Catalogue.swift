/// The list of a vendor's models. A model has an id and may have a short name, a readable alias.
package struct Catalogue: Sendable {
    package let models: [Model]
    /// A function that returns the id for a short name; nil for an unknown name.
    let fullID: @Sendable (String) -> String?
    /// A function that returns the short name for a model's id; nil if there is none.
    let shortName: @Sendable (String) -> String?
    /// A function that returns the family of a model, which is a group of related models, by the model's id; nil if it
    /// has none.
    let family: @Sendable (String) -> String?
    /// The readable names that the relay makes for models with a UUID and no short name, by id.
    private let madeNames: [String: String]
    /// The ids of models that the vendor no longer serves.
    private let gone: Set<String>
    private let indexByID: [String: Int]

    /// Creates a catalogue. If two models have the same id, the first one wins.
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

    /// Returns the model with this id or short name; nil if the catalogue does not contain it.
    package func model(_ id: String) -> Model? {
        let index = indexByID[id] ?? fullID(id).flatMap { indexByID[$0] }
        return index.map { models[$0] }
    }

    /// Returns whether the vendor no longer serves the model with this id or short name.
    func isGone(_ id: String) -> Bool {
        !gone.isEmpty && model(id) == nil && (gone.contains(id) || fullID(id).map(gone.contains) ?? false)
    }

    /// Returns the name that model lists show in place of a UUID; nil if there is none.
    func listedName(of id: String) -> String? { id.isUUID ? shortName(id) ?? madeNames[id] : nil }

    /// Returns the model's id for an id or short name. Returns an unknown name unchanged.
    func id(_ name: String) -> String { model(name)?.id ?? name }
}

extension String {
    /// Whether the text is a UUID such as `123e4567-e89b-12d3-a456-426614174000`.
    var isUUID: Bool {
        guard utf8.count == 36 else { return false }
        return utf8.enumerated().allSatisfy { index, byte in
            if [8, 13, 18, 23].contains(index) { return byte == UInt8(ascii: "-") }
            return (48...57).contains(byte) || (97...102).contains(byte | 32)
        }
    }
}
