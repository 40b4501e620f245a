/// The models that replace retired or unknown models.
extension ModelCatalog {
    /// Returns the name of the model that replaces a retired or unserved model.
    ///
    /// Returns nil if a provider still serves the model, or if there is no replacement.
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

    /// Returns whether the model is retired or unknown. Returns false if a vendor's list that was not read yet might
    /// contain it.
    private func hasEnded(_ name: String) -> Bool {
        let modelCatalog = self[name]
        guard modelCatalog.isEmpty else { return modelCatalog.allSatisfy(\.model.hasEnded) }
        if let model = forbiddenModel(name) { return model.hasEnded }
        return panels[name] == nil && !isAwaitingList
    }

    /// Returns the fallback model's name in the settings, under which limits count it; nil if `served` is another
    /// model.
    package func limitedName(ofFallback served: String) -> String? {
        fallback.map(limitedName(of:)) == served ? namedFallback : nil
    }

    /// The name of the model that serves requests for unknown models; nil if there is none.
    package var fallback: String? { namedFallback.map { replacement(of: $0) ?? $0 } }

    package var haveSubstitutes: Bool { namedFallback != nil || !replacements.isEmpty }

    /// Returns whether the fallback model may serve an unknown model that the caller may use: the caller may also use the
    /// fallback model, or its list contains exactly this name. A pattern also matches names that nobody ever served.
    package func maySubstitute(for name: String, _ caller: Caller, ofPassthrough isPassthrough: Bool) -> Bool {
        guard let namedFallback else { return false }
        return caller.isPermitted(exactly: knownName(name))
            || mayUse(knownName(namedFallback), caller, ofPassthrough: isPassthrough)
    }

    /// Returns the fallback model at each provider that serves it, as a substitute for an unknown model. Returns
    /// nothing without a fallback model, or if the settings exclude the model `name`.
    package func substitutes(for name: String) -> [ServedModel] {
        guard let fallback, forbiddenModel(name) == nil else { return [] }
        return self[fallback]
    }

    /// Returns the panel that is the fallback model; nil if the fallback model is no panel, or if the caller may not use
    /// it in place of the model `name`. Also nil if the settings exclude that model.
    package func substitutePanel(for name: String, _ caller: Caller) -> Panel? {
        guard let fallback, let panel = panels[fallback], forbiddenModel(name) == nil,
            mayUse(panel, asked: name, caller),
            caller.isPermitted(exactly: name) || mayUse(panel, asked: namedFallback, caller)
        else { return nil }
        return panel
    }

    /// The model with which a provider serves `/generate` and `/llm` requests that name no model.
    package struct Generating: Sendable {
        package let name: String
        /// The model name that the caller must be permitted to use. If `name` replaces another model, it is that
        /// model's name, else `name`.
        package let asked: String
        package let servedModel: ServedModel
    }

    /// Returns a provider's model for `/generate` and `/llm` requests that name no model; nil if the provider has none.
    package func generating(at provider: Int) -> Generating? {
        func serving(_ name: String, insteadOf asked: String) -> Generating? {
            self[name].first { $0.provider == provider }.map { Generating(name: name, asked: asked, servedModel: $0) }
        }
        let chatting = listing.filter { $0.provider == provider && $0.model.features.contains(.chat) }
        let named = providers[provider].generateModel
        guard let asked = named ?? chatting.first?.name else { return nil }
        if let next = replacement(of: asked), let found = serving(next, insteadOf: asked) { return found }
        let name = named ?? chatting.first { !$0.model.hasEnded }?.name ?? asked
        return serving(name, insteadOf: name)
    }
}
