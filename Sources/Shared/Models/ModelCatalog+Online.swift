import Engine

/// Model names with the suffix that requests a web search.
extension ModelCatalog {
    package static let online = ModelName.online

    /// Returns the name before the suffix; nil if there is no suffix, nothing before it, or two of them.
    package static func name(beforeSuffixOf name: String) -> String? {
        guard name.utf8.last == UInt8(ascii: "e"), name.hasSuffix(online) else { return nil }
        let before = String(name.dropLast(online.count))
        return before.isEmpty || before.hasSuffix(online) ? nil : before
    }

    /// Returns the name by which permissions and limits know a model: without the suffix, unless a model or a panel
    /// really has this name.
    package func knownName(_ name: String) -> String {
        guard let before = Self.name(beforeSuffixOf: name), position(of: name) == nil, panels[name] == nil else {
            return name
        }
        return before
    }

    /// Returns the served models of a name with the suffix, for models that can search the web.
    func searching(_ name: String) -> [ServedModel] {
        guard let before = Self.name(beforeSuffixOf: name), let position = position(of: before) else { return [] }
        return all[position].servedModels.compactMap { servedModel in
            guard providers[servedModel.provider].hasSearchSuffix, servedModel.model.features.contains(.chat) else {
                return nil
            }
            return servedModel.searching
        }
    }

    /// Returns whether the name has the suffix but is that of a code model, which cannot search the web.
    package func lacksSearch(_ name: String) -> Bool {
        guard let before = Self.name(beforeSuffixOf: name), searching(name).isEmpty, let position = position(of: before)
        else {
            return false
        }
        return all[position].servedModels.contains {
            providers[$0.provider].hasSearchSuffix && $0.model.features.contains(.code)
        }
    }

    /// Returns the list entry of a name with the suffix, which lists do not show; nil if there is no such model.
    package func searching(_ name: String, among listed: [Listed]) -> Listed? {
        guard let before = Self.name(beforeSuffixOf: name), !searching(name).isEmpty,
            let model = listed.first(where: { $0.id.hasSameBytes(as: before) })
        else { return nil }
        return model.named(name)
    }
}
