extension Offers {
    /// The model or panel that a panel means by a name, which may be `provider/name`; nil: there is none.
    package func member(_ name: String) -> Panel.Member? {
        let name = replacement(of: name) ?? name
        if let member = served(name) { return member }
        guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let (provider, model) = (name[..<slash], String(name[name.index(after: slash)...]))
        guard let place = providers.firstIndex(where: { $0.name == provider }) else { return nil }
        guard let next = replacement(of: model) else {
            return serves(model, at: place) ? .model(model, provider: place) : nil
        }
        // A model that has ended goes on by another name, there or elsewhere.
        return serves(next, at: place) ? .model(next, provider: place) : served(next)
    }

    /// By whichever provider.
    private func served(_ name: String) -> Panel.Member? {
        if let panel = panels[name] { return .panel(panel) }
        return self[name].isEmpty ? nil : .model(name, provider: nil)
    }

    func serves(_ name: String, at provider: Int) -> Bool { self[name].contains { $0.provider == provider } }

    /// The offers of a member that is a model.
    package func offers(of name: String, at provider: Int?) -> [Offer] {
        self[name].filter { provider == nil || $0.provider == provider }
    }

    /// A panel is used by the right to its name, as far as the providers of its models serve the caller.
    ///
    /// - Parameter asked: the name that it stands in for; nil: its own.
    package func mayUse(_ panel: Panel, asked name: String? = nil, _ caller: Caller) -> Bool {
        let name = name ?? panel.name
        return panels.holdingCredentials.contains(panel.name) && caller.mayUse(name, ofPassthrough: false)
            || panels.takingOwnKeys.contains(panel.name) && caller.mayUse(name, ofPassthrough: true)
    }

    /// Panels may be members of others, so this goes on until nothing more is found.
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

    /// Its summary model and, if it has members, one of them are served by such providers.
    private func isServed(_ panel: Panel, isPassthrough: Bool) -> Bool {
        func isServed(_ name: String) -> Bool {
            switch member(name) {
            case nil: false
            case .model(let model, let place):
                offers(of: model, at: place).contains { providers[$0.provider].isPassthrough == isPassthrough }
            case .panel(let panel):
                (isPassthrough ? panels.takingOwnKeys : panels.holdingCredentials).contains(panel.name)
            }
        }
        return isServed(panel.text.summary)
            && (panel.text.members.isEmpty || panel.text.members.contains(where: isServed))
    }
}

/// The panels of the settings, and the providers that can serve them.
package struct PanelOffers: Sendable {
    /// By name.
    package let all: [Panel]
    private let byName: [String: Panel]
    /// Providers with keys of the relay's can serve them.
    fileprivate(set) var holdingCredentials: Set<String> = []
    /// Providers that take callers' own keys can.
    fileprivate(set) var takingOwnKeys: Set<String> = []
    /// Panels that have the name of a model, which so nobody can use.
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
