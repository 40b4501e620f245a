/// The models of a vendor, by id and in the order of listing.
package struct Catalogue: Sendable {
    package let models: [Model]
    /// Returns the id that a short name stands for; nil if the name is not a short name.
    let fullID: @Sendable (String) -> String?
    /// Returns the short name of an id; nil if there is none.
    let shortName: @Sendable (String) -> String?
    /// Returns the name of a model's family, whose members may take over each other's short names; nil if there is
    /// none.
    let family: @Sendable (String) -> String?
    /// The names made for ids that are UUIDs and have no short name.
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

    /// Returns the model of an id or a short name; nil if there is none.
    package func model(_ id: String) -> Model? {
        let index = indexByID[id] ?? fullID(id).flatMap { indexByID[$0] }
        return index.map { models[$0] }
    }

    /// Returns whether the vendor no longer serves the model of this id or short name.
    func isGone(_ id: String) -> Bool {
        !gone.isEmpty && model(id) == nil && (gone.contains(id) || fullID(id).map(gone.contains) ?? false)
    }

    /// Returns the name that lists show in place of an id that is a UUID; nil: lists show the id.
    func listedName(of id: String) -> String? { id.isUUID ? shortName(id) ?? madeNames[id] : nil }

    /// Returns the vendor's id for a name. An unknown name is returned unchanged, so that the vendor decides.
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
