import Engine

/// Model names with the suffix `:online`, which requests a web search.
extension ModelCatalog {
    package static let online = ModelName.online

    /// Returns the model name before the suffix `:online`, such as `gpt-4o` for `gpt-4o:online`. Returns nil without
    /// this suffix, with two of them, or if nothing comes before it.
    package static func name(beforeSuffixOf name: String) -> String? {
        guard name.utf8.last == UInt8(ascii: "e"), name.hasSuffix(online) else { return nil }
        let before = String(name.dropLast(online.count))
        return before.isEmpty || before.hasSuffix(online) ? nil : before
    }

    /// Returns whether the name has the suffix `[1m]`. Needs no catalog, because to use one costs a copy.
    package static func asksForLongWindow(_ name: String) -> Bool {
        name.withBytes { $0.last == UInt8(ascii: "]") } && name.hasSuffix("[1m]")
    }

    /// Returns the model name before the suffix `[1m]`, with which clients ask for a large context window. Returns nil
    /// without this suffix, and for a name that is served as it stands.
    package func name(beforeWindowOf name: String) -> String? {
        guard Self.asksForLongWindow(name), name.utf8.count > 4 else { return nil }
        guard index(of: name) == nil, panels[name] == nil, replacement(of: name) == nil else { return nil }
        return String(name.dropLast(4))
    }

    /// Returns a requested model name as permissions and limits use it: without the suffix `:online`. Keeps a suffix
    /// that is part of a model's or panel's own name.
    package func knownName(_ name: String) -> String {
        guard let before = Self.name(beforeSuffixOf: name), index(of: name) == nil, panels[name] == nil else {
            return name
        }
        return before
    }

    /// Returns the models that can serve a name such as `gpt-4o:online`, with web search turned on; empty for other
    /// names.
    func searching(_ name: String) -> [ServedModel] {
        guard let before = Self.name(beforeSuffixOf: name), let index = index(of: before) else { return [] }
        return all[index].servedModels.compactMap { servedModel in
            guard providers[servedModel.provider].hasSearchSuffix, servedModel.model.features.contains(.chat) else {
                return nil
            }
            return servedModel.searching
        }
    }

    /// Returns whether the name requests a web search from a code model, which cannot search. Such a name is a code
    /// model's name with the suffix `:online`.
    package func lacksSearch(_ name: String) -> Bool {
        guard let before = Self.name(beforeSuffixOf: name), searching(name).isEmpty, let index = index(of: before)
        else {
            return false
        }
        return all[index].servedModels.contains {
            providers[$0.provider].hasSearchSuffix && $0.model.features.contains(.code)
        }
    }

    /// Returns the entry of the model list for a name with the suffix `:online`.
    ///
    /// Returns nil if `listed` does not contain the model, or if the model cannot search the web.
    package func searching(_ name: String, among listed: [Listed]) -> Listed? {
        guard let before = Self.name(beforeSuffixOf: name), !searching(name).isEmpty,
            let model = listed.first(where: { $0.id.hasSameBytes(as: before) })
        else { return nil }
        return model.named(name)
    }
}
