/// Names that other models serve.
extension ModelCatalog {
    /// Returns the name that replaces a model which was retired or which no provider serves; nil if the model needs no
    /// replacement.
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

    /// The names that other models serve today.
    package var replacedNames: [String] { replacements.keys.filter { replacement(of: $0) != nil }.sorted() }

    /// Returns whether no provider serves the name today, as far as that is known.
    private func hasEnded(_ name: String) -> Bool {
        let modelCatalog = self[name]
        guard modelCatalog.isEmpty else { return modelCatalog.allSatisfy(\.model.hasEnded) }
        if let model = forbiddenModel(name) { return model.hasEnded }
        return panels[name] == nil && !isAwaitingList
    }

    /// Returns the name by which limits count a call that the fallback model serves; nil if `served` is not the
    /// fallback.
    package func limitedName(ofFallback served: String) -> String? { served == fallback ? namedFallback : nil }

    /// The name of the model for unknown names; nil if there is none.
    package var fallback: String? { namedFallback.map { replacement(of: $0) ?? $0 } }

    package var haveSubstitutes: Bool { namedFallback != nil || !replacements.isEmpty }

    /// Returns the served models of the fallback model for a name that no provider has; empty if the name is forbidden.
    package func substitutes(for name: String) -> [ServedModel] {
        guard let fallback, forbiddenModel(name) == nil else { return [] }
        return self[fallback]
    }

    /// Returns the fallback panel for a name that no provider has; nil if the fallback is no panel or the name is
    /// forbidden.
    package func substitutePanel(for name: String) -> Panel? {
        guard let fallback, let panel = panels[fallback], forbiddenModel(name) == nil else { return nil }
        return panel
    }
}
