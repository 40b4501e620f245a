extension ModelCatalog {
    /// Returns the model or panel that a panel's setting names as a member; nil if there is none. The name may contain
    /// a provider, as in `provider/model`.
    package func member(_ name: String) -> Panel.Member? {
        let name = replacement(of: name) ?? name
        if let member = served(name) { return member }
        guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let (provider, model) = (name[..<slash], String(name[name.index(after: slash)...]))
        guard let position = providers.firstIndex(where: { $0.name == provider }) else { return nil }
        guard let next = replacement(of: model) else {
            return serves(model, at: position) ? .model(model, provider: position) : nil
        }
        // If the model was retired, its replacement is served by the same provider or by another one.
        return serves(next, at: position) ? .model(next, provider: position) : served(next)
    }

    /// Returns the panel with this name, or the model with this name at any provider; nil if there is neither.
    private func served(_ name: String) -> Panel.Member? {
        if let panel = panels[name] { return .panel(panel) }
        return self[name].isEmpty ? nil : .model(name, provider: nil)
    }

    func serves(_ name: String, at provider: Int) -> Bool { self[name].contains { $0.provider == provider } }

    /// Returns the served models for a panel's member: at one provider, or at all providers if `provider` is nil.
    package func servedModels(of name: String, at provider: Int?) -> [ServedModel] {
        self[name].filter { provider == nil || $0.provider == provider }
    }

    /// Returns whether the caller is permitted to use a panel. The permission must be for a kind of provider that can
    /// serve the panel: passthrough providers or providers with credentials.
    ///
    /// - Parameter name: the requested model name if the panel replaces another model; nil for the panel's own name.
    package func mayUse(_ panel: Panel, asked name: String? = nil, _ caller: Caller) -> Bool {
        let name = name ?? panel.name
        return panels.holdingCredentials.contains(panel.name) && caller.mayUse(name, ofPassthrough: false)
            || panels.takingOwnKeys.contains(panel.name) && caller.mayUse(name, ofPassthrough: true)
    }

    /// Finds out which panels the providers can serve. Since panels can be members of other panels, the search repeats
    /// until it finds no new panel.
    mutating func findUsablePanels() {
        var found = -1
        while found < panels.holdingCredentials.count + panels.takingOwnKeys.count {
            found = panels.holdingCredentials.count + panels.takingOwnKeys.count
            for panel in panels.all {
                if isServed(panel, isPassthrough: false) { panels.holdingCredentials.insert(panel.name) }
                if isServed(panel, isPassthrough: true) { panels.takingOwnKeys.insert(panel.name) }
            }
        }
    }

    /// Returns whether providers of one kind can serve a panel. They must serve the summary model and, if the panel has
    /// members, at least one member.
    ///
    /// - Parameter isPassthrough: the kind of providers: true for passthrough providers, false for providers with
    ///   credentials.
    private func isServed(_ panel: Panel, isPassthrough: Bool) -> Bool {
        func isServed(_ name: String) -> Bool {
            switch member(name) {
            case nil: false
            case .model(let model, let position):
                servedModels(of: model, at: position).contains { providers[$0.provider].isPassthrough == isPassthrough }
            case .panel(let panel):
                (isPassthrough ? panels.takingOwnKeys : panels.holdingCredentials).contains(panel.name)
            }
        }
        return isServed(panel.text.summary)
            && (panel.text.members.isEmpty || panel.text.members.contains(where: isServed))
    }
}

/// The panels in the settings. For each panel, this value knows which kinds of providers can serve the panel:
/// passthrough providers or providers with credentials.
package struct ServedPanels: Sendable {
    /// The panels, sorted by the NAME in their settings (`PANEL_<NAME>_MODELS` and others).
    package let all: [Panel]
    private let byName: [String: Panel]
    /// The names of panels that providers with credentials can serve.
    fileprivate(set) var holdingCredentials: Set<String> = []
    /// The names of panels that passthrough providers can serve.
    fileprivate(set) var takingOwnKeys: Set<String> = []
    /// The names of panels that are also names of a provider's models. Such a panel hides the model.
    private(set) var hiding: Set<String> = []

    init(_ panels: [Panel]) {
        all = panels
        byName = Dictionary(panels.map { ($0.name, $0) }) { first, _ in first }
    }

    package subscript(name: String) -> Panel? { byName.isEmpty ? nil : byName[name] }

    mutating func hides(_ name: String) -> Bool {
        guard self[name] != nil else { return false }
        hiding.insert(name)
        return true
    }
}
