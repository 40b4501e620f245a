package import Shared

/// Which provider serves which model. One a loop, as providers are.
package struct Registry: Sendable {
    /// A provider and what of it callers may name.
    package struct Entry: Sendable {
        package let provider: any ChatProvider
        package let catalogue: Catalogue
        /// `owned_by` of its models.
        package let label: String
        package let isPassthrough: Bool

        package init(provider: any ChatProvider, catalogue: Catalogue, label: String, isPassthrough: Bool) {
            self.provider = provider
            self.catalogue = catalogue
            self.label = label
            self.isPassthrough = isPassthrough
        }
    }

    package struct Listed: Sendable {
        package let id: String
        package let owner: String
    }

    private let entries: [Entry]
    private let anonymousModels: [ModelPattern]

    package init(_ entries: [Entry], anonymousModels: [ModelPattern]) {
        self.entries = entries
        self.anonymousModels = anonymousModels
    }

    /// Who serves chat of the model that a caller named. A model of another kind, or one that the caller may not use,
    /// is unknown to him.
    package func chat(_ name: String, for caller: Caller) throws(APIError) -> (provider: any ChatProvider, model: Model)
    {
        for entry in entries {
            guard let model = entry.catalogue.model(name), may(caller, use: name, of: entry) else { continue }
            guard !model.features.isDisjoint(with: [.chat, .code]) else { continue }
            return (entry.provider, model)
        }
        throw .modelNotFound(name)
    }

    /// What the caller may use; providers in their order, their models by id.
    package func models(for caller: Caller) -> [Listed] {
        var seen: Set<String> = []
        var listed: [Listed] = []
        for entry in entries {
            for model in entry.catalogue.models.sorted(by: { $0.id < $1.id })
            where may(caller, use: model.id, of: entry) && seen.insert(model.id).inserted {
                listed.append(Listed(id: model.id, owner: entry.label))
            }
        }
        return listed
    }

    private func may(_ caller: Caller, use name: String, of entry: Entry) -> Bool {
        if entry.isPassthrough {
            guard case .passThrough = caller else { return false }
            return true
        }
        return anonymousModels.match(name)
    }
}
