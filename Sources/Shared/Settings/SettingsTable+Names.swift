extension SettingsTable {
    /// A setting that was found by the name of a variable.
    struct Match {
        let key: SettingKey
        let row: SettingRow
        /// Whether the variable's name ends with `_FILE`, so its value is the path of a file that contains the
        /// setting's value.
        let isFile: Bool
    }

    /// Finds the setting that a variable sets; nil if the name is no known setting. Looks for a global setting first,
    /// then for one with `_FILE` after its name, then for `PREFIX_<NAME>_<FIELD>` with the longest matching FIELD.
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

    /// Returns the name of the setting that an unknown name probably means; nil if no setting has a similar name.
    func suggestion(for name: String) -> String? {
        globalNear(name) ?? globals.first { $0.name == name.uppercased() }?.name ?? inCapitals(name)
            ?? families.lazy.compactMap { $0.fieldNear(name) }.first
    }

    /// Returns a name in capital letters and with `_` in place of `-`, if the result is a setting of a family:
    /// `provider_a-b_kind` becomes `PROVIDER_A_B_KIND`. Returns nil if the result is no such setting or is equal to
    /// `name`.
    func inCapitals(_ name: String) -> String? {
        let capitals = String(name.uppercased().map { $0 == "-" ? "_" : $0 })
        guard capitals != name, let match = match(capitals), !match.key.prefix.isEmpty else { return nil }
        return capitals
    }

    /// Returns the global setting whose name is most similar to `name`; nil if no name is similar. Ignores settings
    /// with fewer than six characters in their names.
    func globalNear(_ name: String) -> String? {
        nearest(to: name, among: globals.map(\.name).filter { $0.utf8.count >= 6 })
    }
}

extension SettingFamily {
    /// Finds the setting of this family that a variable sets; nil if no field of the family matches.
    ///
    /// - Parameter rest: the part of the variable's name after the family's prefix.
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

    /// Returns the setting of this family that an unknown variable name probably means, such as `PROVIDER_A_KIND` for
    /// `PROVIDER_A_KINT`. Returns nil if no field has a similar name.
    fileprivate func fieldNear(_ name: String) -> String? {
        guard name.utf8.count <= 200, name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        var candidates: [String] = []
        for underscore in rest.indices where rest[underscore] == "_" && underscore > rest.startIndex {
            let field = rest[rest.index(after: underscore)...]
            // A short field with two different letters would match any word.
            for row in rows where min(field.utf8.count, row.name.utf8.count) >= 4 {
                candidates.append("\(prefix)\(rest[..<underscore])_\(row.name)")
            }
        }
        return nearest(to: name, among: candidates)
    }

    /// Returns whether the text can be the NAME in a variable such as `PROVIDER_<NAME>_KIND`: it has only upper-case
    /// letters, digits and `_`.
    package static func isInstanceName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
    }
}

/// Returns the candidate that is most similar to a name; nil if every candidate has an edit distance of more than two
/// from the name.
package func nearest(to name: String, among candidates: [String]) -> String? {
    candidates.compactMap { candidate in editDistance(name, candidate, atMost: 2).map { (candidate, $0) } }
        .min { $0.1 < $1.1 }?.0
}

extension SettingsSource.Entry {
    /// Whether a container orchestrator probably set the variable to describe another service. Examples are
    /// `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_PORT_80_TCP`, and `X_PORT` with a value such as `tcp://10.0.0.1:80`.
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
    /// The name of a provider, caller or panel as it is displayed: in lower case, with `-` in place of `_`.
    var asName: String { String(lowercased().map { $0 == "_" ? "-" : $0 }) }

    /// The name of a provider, caller or panel as variables contain it: in upper case, with `_` in place of `-`.
    package var asInstance: String { String(uppercased().map { $0 == "-" ? "_" : $0 }) }
}
