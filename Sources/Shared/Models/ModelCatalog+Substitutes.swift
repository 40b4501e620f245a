/// The models that replace retired or unknown models.
extension ModelCatalog {
    /// Returns the name of the model that replaces a retired or unserved model. Returns nil if a provider still serves
    /// the model, or if the settings name no replacement.
    package func replacement(of name: String) -> String? {
        if replacements.isEmpty { return nil }
        if replacements[name] == nil, let before = Self.name(beforeSuffixOf: name) {
            return replacement(of: before).map { $0.hasSuffix(Self.online) ? $0 : $0 + Self.online }
        }
        var served = name
        // A replacement may be retired, too.
        for _ in 0..<replacements.count {
            guard let next = replacements[served], hasEnded(served) else { break }
            served = next
        }
        return served == name ? nil : served
    }

    /// The names of retired or unserved models that the settings currently replace by another model, sorted.
    package var replacedNames: [String] { replacements.keys.filter { replacement(of: $0) != nil }.sorted() }

    /// Returns whether no provider serves this model name today. Returns false for an unknown name while a vendor's
    /// list was not read yet.
    private func hasEnded(_ name: String) -> Bool {
        let modelCatalog = self[name]
        guard modelCatalog.isEmpty else { return modelCatalog.allSatisfy(\.model.hasEnded) }
        if let model = forbiddenModel(name) { return model.hasEnded }
        return panels[name] == nil && !isAwaitingList
    }

    /// Returns the name under which limits count calls of the fallback model: the name that the settings give. Returns
    /// nil if `served` is not the fallback model.
    package func limitedName(ofFallback served: String) -> String? { served == fallback ? namedFallback : nil }

    /// The name of the fallback model, which serves requests for unknown models; nil if the settings name none. If that
    /// model is retired, this is its replacement.
    package var fallback: String? { namedFallback.map { replacement(of: $0) ?? $0 } }

    package var haveSubstitutes: Bool { namedFallback != nil || !replacements.isEmpty }

    /// Returns the served models of the fallback model, for a name that no provider serves. Empty if there is no
    /// fallback model, or if the settings forbid the name.
    package func substitutes(for name: String) -> [ServedModel] {
        guard let fallback, forbiddenModel(name) == nil else { return [] }
        return self[fallback]
    }

    /// Returns the fallback panel for a name that no provider serves; nil if the fallback model is not a panel, or if
    /// the settings forbid the name.
    package func substitutePanel(for name: String) -> Panel? {
        guard let fallback, let panel = panels[fallback], forbiddenModel(name) == nil else { return nil }
        return panel
    }
}
