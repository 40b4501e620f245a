extension ModelCatalog {
    /// A served model for calls of `/generate` and `/llm` that name no model.
    package struct Generating: Sendable {
        package let name: String
        /// The name on which the caller's permission is checked.
        package let asked: String
        package let servedModel: ServedModel
    }

    /// Returns the served model with which a provider serves calls that name no model; nil if it has none.
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
