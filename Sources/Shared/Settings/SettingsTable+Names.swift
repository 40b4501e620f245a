extension SettingsTable {
    /// The setting that a variable's name means.
    struct Match {
        let key: SettingKey
        let row: SettingRow
        /// The name is `X_FILE`: the value names a file that holds X.
        let isFile: Bool
    }

    /// Exact names go first, then `X_FILE`, then `PREFIX_<NAME>_<FIELD>` with the longest known FIELD at the end.
    func match(_ name: String) -> Match? {
        if let row = globals.first(where: { $0.name == name }) {
            return Match(key: .global(name), row: row, isFile: false)
        }
        if let row = globals.first(where: { $0.mayComeFromFile && $0.name + "_FILE" == name }) {
            return Match(key: .global(row.name), row: row, isFile: true)
        }
        for family in families where name.hasPrefix(family.prefix) {
            if let match = family.match(name.dropFirst(family.prefix.count)) { return match }
        }
        return nil
    }

    /// The name that was probably meant by one that is unknown.
    func suggestion(for name: String) -> String? {
        globalNear(name) ?? globals.first { $0.name == name.uppercased() }?.name ?? inCapitals(name)
            ?? families.lazy.compactMap { $0.fieldNear(name) }.first
    }

    /// A family's name that is this one in capitals, as all are, with `_` for `-`.
    func inCapitals(_ name: String) -> String? {
        let capitals = String(name.uppercased().map { $0 == "-" ? "_" : $0 })
        guard capitals != name, let match = match(capitals), !match.key.prefix.isEmpty else { return nil }
        return capitals
    }

    /// The global name of six letters or more that is no more than two letters off.
    func globalNear(_ name: String) -> String? {
        nearest(to: name, among: globals.map(\.name).filter { $0.utf8.count >= 6 })
    }
}

extension SettingFamily {
    /// `rest` is what follows the prefix.
    fileprivate func match(_ rest: Substring) -> SettingsTable.Match? {
        var best: (match: SettingsTable.Match, length: Int)?
        for row in rows {
            for (ending, isFile) in [("_" + row.name, false), ("_" + row.name + "_FILE", true)] {
                guard !isFile || row.mayComeFromFile, rest.hasSuffix(ending) else { continue }
                let instance = rest.dropLast(ending.count)
                guard SettingFamily.isInstanceName(instance), ending.count > best?.length ?? 0 else { continue }
                let key = SettingKey(prefix: prefix, instance: String(instance), field: row.name)
                best = (SettingsTable.Match(key: key, row: row, isFile: isFile), ending.count)
            }
        }
        return best?.match
    }

    /// For an unknown name that begins as ours: the same instance with the field that is nearest.
    fileprivate func fieldNear(_ name: String) -> String? {
        guard name.utf8.count <= 200, name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        var candidates: [String] = []
        for underscore in rest.indices where rest[underscore] == "_" && underscore > rest.startIndex {
            let field = rest[rest.index(after: underscore)...]
            // A short field two letters off is any word.
            for row in rows where min(field.utf8.count, row.name.utf8.count) >= 4 {
                candidates.append("\(prefix)\(rest[..<underscore])_\(row.name)")
            }
        }
        return nearest(to: name, among: candidates)
    }

    /// The NAME in a variable's name.
    package static func isInstanceName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
    }
}

/// The first of the nearest names, none of which is more than two letters off.
package func nearest(to name: String, among candidates: [String]) -> String? {
    candidates.compactMap { candidate in editDistance(name, candidate, atMost: 2).map { (candidate, $0) } }
        .min { $0.1 < $1.1 }?.0
}

extension SettingsSource.Entry {
    /// Orchestrators describe neighbouring services in variables that may begin as ours do: `X_SERVICE_HOST`,
    /// `X_SERVICE_PORT*`, `X_PORT_<n>_TCP*`, `X_PORT=tcp://…`.
    var isInjected: Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.holds("_SERVICE_PORT") { return true }
        if name.hasSuffix("_PORT") && (value.hasPrefix("tcp://") || value.hasPrefix("udp://")) { return true }
        let parts = name.split(separator: "_")
        return parts.indices.contains { index in
            index > 0 && index + 2 < parts.count && parts[index] == "PORT" && Int(parts[index + 1]) != nil
                && (parts[index + 2] == "TCP" || parts[index + 2] == "UDP")
        }
    }
}

extension String {
    fileprivate func holds(_ part: String) -> Bool { indices.contains { self[$0...].hasPrefix(part) } }
}

extension String {
    /// An instance's NAME as it is shown: in lower case, with `-` for `_`.
    var asName: String { String(lowercased().map { $0 == "_" ? "-" : $0 }) }

    /// The NAME that is shown so.
    package var asInstance: String { String(uppercased().map { $0 == "-" ? "_" : $0 }) }
}
