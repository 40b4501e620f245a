import Engine

/// The models that one provider serves, by the names of callers and by the vendor's ids.
package final class ProviderModels: Sendable {
    private let catalog: ModelCatalog
    private let provider: Int

    package init(_ catalog: ModelCatalog, at provider: Int) {
        self.catalog = catalog
        self.provider = provider
    }

    /// Returns the vendor's id of a model that the caller may use by this name, or by another name that stands for this
    /// id; nil if there is none.
    package func id(of name: String, for caller: Caller) -> String? {
        func mayUse(_ name: String) -> Bool {
            catalog.mayUse(name, caller, ofPassthrough: catalog.providers[provider].isPassthrough)
        }
        if let named = catalog[name].first(where: { $0.provider == provider }), mayUse(name) { return named.model.id }
        return served(as: name, where: mayUse)?.model.model.id
    }

    /// Returns the first name and the model with this id of the vendor's; nil if the provider does not serve it.
    package func served(
        as id: String,
        where isWanted: (_ name: String) -> Bool = { _ in true }
    ) -> (name: String, model: ModelCatalog.ServedModel)? {
        for named in catalog.all {
            let model = named.servedModels.first { $0.provider == provider && $0.model.id.hasSameBytes(as: id) }
            if let model, isWanted(named.name) { return (named.name, model) }
        }
        return nil
    }
}
