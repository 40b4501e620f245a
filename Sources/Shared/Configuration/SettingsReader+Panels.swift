/// Checks of panels: whether providers serve a panel's models, and whether a panel calls itself.
extension SettingsReader {
    mutating func checkPanels(_ settings: Settings, _ modelCatalog: ModelCatalog) {
        if settings.panels.isEmpty { return }
        let names = modelCatalog.allNames
        for (instance, panel) in zip(Panel.instances(self), settings.panels) {
            if modelCatalog.panels.hiding.contains(panel.name) {
                let isNamed = given[Panel.key(instance, "NAME")] != nil
                report(
                    Panel.key(instance, isNamed ? "NAME" : "SUMMARY_MODEL"),
                    "\"\(panel.name)\" is also a model of a provider; give the panel another name"
                )
            }
            for (key, models) in Panel.models(of: instance, self) {
                for model in models { check(member: model, key, names, modelCatalog) }
            }
        }
        refuseCycles(settings, modelCatalog)
    }

    private mutating func check(member name: String, _ key: SettingKey, _ names: [String], _ modelCatalog: ModelCatalog)
    {
        guard let member = modelCatalog.member(name) else {
            let near = nearestModel(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            let text = "no provider serves \"\(name)\""
            if modelCatalog.isAwaitingList {
                warn(key, text + " under this name; a vendor's list may")
            } else {
                report(key, text + near)
            }
            return
        }
        guard case .model(let model, let provider) = member else { return }
        let chats = modelCatalog.servedModels(of: model, at: provider).contains {
            !$0.model.features.isDisjoint(with: .chatting)
        }
        if !chats { report(key, "\"\(name)\" does not support chats") }
    }

    private mutating func refuseCycles(_ settings: Settings, _ modelCatalog: ModelCatalog) {
        for (instance, panel) in zip(Panel.instances(self), settings.panels) {
            let key = Panel.key(instance, "SUMMARY_MODEL")
            if let cycle = modelCatalog.cycle(from: panel) {
                report(key, "the panel calls itself: \(cycle.joined(separator: " > "))")
            } else if modelCatalog.calls(of: panel, upTo: Panel.maxCalls) > Panel.maxCalls {
                report(key, "the panel calls more than \(Panel.maxCalls) models, including those of nested panels")
            }
        }
    }
}

extension ModelCatalog {
    /// Returns the shortest chain of panel names by which a panel calls itself, such as `a`, `b`, `a`; nil if there is
    /// none.
    fileprivate func cycle(from panel: Panel) -> [String]? {
        var found = [(panel: panel, asker: 0)]
        var seen: Set<String> = [panel.name]
        var index = 0
        while index < found.count {
            for name in found[index].panel.casts.flatMap({ $0.members + [$0.summary] }) {
                guard case .panel(let next) = member(name) else { continue }
                if next.name == panel.name {
                    var way = [next.name]
                    var asker = index
                    while asker > 0 {
                        way.append(found[asker].panel.name)
                        asker = found[asker].asker
                    }
                    return [panel.name] + way.reversed()
                }
                if seen.insert(next.name).inserted { found.append((next, index)) }
            }
            index += 1
        }
        return nil
    }

    /// Returns the largest number of models that one request to the panel can call. Stops counting soon after `bound`.
    fileprivate func calls(of panel: Panel, upTo bound: Int) -> Int {
        var most = 0
        for cast in panel.casts {
            var calls = 0
            for name in cast.members + [cast.summary] where calls <= bound {
                if case .panel(let next) = member(name) {
                    calls += bound > 0 ? self.calls(of: next, upTo: bound - 1) : 1
                } else {
                    calls += 1
                }
            }
            most = max(most, calls)
        }
        return most
    }
}
