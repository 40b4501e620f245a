extension ModelCatalog {
    /// Returns the model or panel for a panel member's name, such as `provider/model`; nil if there is none.
    package func member(_ name: String) -> Panel.Member? {
        let name = replacement(of: name) ?? name
        if let member = served(name) { return member }
        guard let (model, provider) = pinned(name) else { return nil }
        guard let next = replacement(of: model) else {
            return serves(model, at: provider) ? .model(model, provider: provider) : nil
        }
        // If the model was retired, its replacement is served by the same provider or by another one.
        return serves(next, at: provider) ? .model(next, provider: provider) : served(next)
    }

    /// Returns the name under which a panel member counts: without the provider in `provider/model`.
    package func countedName(ofMember name: String) -> String {
        guard replacement(of: name) == nil, served(name) == nil else { return name }
        return pinned(name)?.model ?? name
    }

    /// Returns the model and the provider in the name `provider/model`; nil for other names.
    private func pinned(_ name: String) -> (model: String, provider: Int)? {
        guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")),
            let provider = providers.firstIndex(where: { $0.name == name[..<slash] })
        else { return nil }
        return (String(name[name.index(after: slash)...]), provider)
    }

    /// Returns the panel or the model with this name; nil if there is neither.
    private func served(_ name: String) -> Panel.Member? {
        if let panel = panels[name] { return .panel(panel) }
        return self[name].isEmpty ? nil : .model(name, provider: nil)
    }

    func serves(_ name: String, at provider: Int) -> Bool { self[name].contains { $0.provider == provider } }

    /// Returns the model of each provider that serves a panel member. If `provider` is not nil, returns only that
    /// provider's model.
    package func servedModels(of name: String, at provider: Int?) -> [ServedModel] {
        self[name].filter { provider == nil || $0.provider == provider }
    }

    /// Returns whether the caller is permitted to use a panel at providers that can serve the panel.
    /// - Parameter name: the requested model name if the panel replaces another model; otherwise nil.
    package func mayUse(_ panel: Panel, asked name: String? = nil, _ caller: Caller) -> Bool {
        let name = name ?? panel.name
        return panels.holdingCredentials.contains(panel.name) && caller.mayUse(name, ofPassthrough: false)
            || panels.takingOwnKeys.contains(panel.name) && caller.mayUse(name, ofPassthrough: true)
    }

    /// Finds out which panels the providers can serve.
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

    /// Returns whether providers of one kind can serve a panel. They must serve its summary model, and a member if
    /// there are any.
    /// - Parameter isPassthrough: true for passthrough providers, false for providers with credentials.
    private func isServed(_ panel: Panel, isPassthrough: Bool) -> Bool {
        func isServed(_ name: String) -> Bool {
            switch member(name) {
            case nil: false
            case .model(let model, let provider):
                servedModels(of: model, at: provider).contains { providers[$0.provider].isPassthrough == isPassthrough }
            case .panel(let panel):
                (isPassthrough ? panels.takingOwnKeys : panels.holdingCredentials).contains(panel.name)
            }
        }
        return isServed(panel.text.summary)
            && (panel.text.members.isEmpty || panel.text.members.contains(where: isServed))
    }
}

/// The panels in the settings, and the kinds of providers that can serve each of them.
package struct ServedPanels: Sendable {
    /// The panels, sorted by the NAME in their settings (`PANEL_<NAME>_MODELS` and others).
    package let all: [Panel]
    private let byName: [String: Panel]
    /// The names of the panels that can be served with the relay's own credentials.
    fileprivate(set) var holdingCredentials: Set<String> = []
    /// The names of the panels that can be served with the callers' own keys.
    fileprivate(set) var takingOwnKeys: Set<String> = []
    /// The names of panels that hide a provider's model of the same name.
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
