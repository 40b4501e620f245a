/// Names that other models serve.
extension Offers {
    /// The name that serves in place of one that has ended or that nobody serves; nil: it serves itself.
    package func replacement(of name: String) -> String? {
        if replacements.isEmpty { return nil }
        if replacements[name] == nil, let before = Self.name(beforeSuffixOf: name) {
            return replacement(of: before).map { $0.hasSuffix(Self.online) ? $0 : $0 + Self.online }
        }
        var served = name
        // A replacement may end, too.
        for _ in 0..<replacements.count {
            guard let next = replacements[served], hasEnded(served) else { break }
            served = next
        }
        return served == name ? nil : served
    }

    /// Names that other models serve today.
    package var replacedNames: [String] { replacements.keys.filter { replacement(of: $0) != nil }.sorted() }

    /// No provider serves it today, as far as that is known.
    private func hasEnded(_ name: String) -> Bool {
        let offers = self[name]
        guard offers.isEmpty else { return offers.allSatisfy(\.model.hasEnded) }
        if let model = forbiddenModel(name) { return model.hasEnded }
        return panels[name] == nil && !isAwaitingList
    }

    /// The name that limits of such a call go by.
    package func limitedName(ofFallback served: String) -> String? { served == fallback ? namedFallback : nil }

    /// The name that serves those that no provider has; nil: none does.
    package var fallback: String? { namedFallback.map { replacement(of: $0) ?? $0 } }

    package var haveSubstitutes: Bool { namedFallback != nil || !replacements.isEmpty }

    /// The models that serve a name that no provider has, unless the name is forbidden.
    package func substitutes(for name: String) -> [Offer] {
        guard let fallback, forbiddenModel(name) == nil else { return [] }
        return self[fallback]
    }

    /// The same, if that is a panel.
    package func substitutePanel(for name: String) -> Panel? {
        guard let fallback, let panel = panels[fallback], forbiddenModel(name) == nil else { return nil }
        return panel
    }
}
