extension ModelCatalog {
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
