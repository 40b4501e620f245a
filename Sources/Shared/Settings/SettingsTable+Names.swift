extension SettingsTable {
    /// A setting that was found by the name of a variable.
    struct Match {
        let key: SettingKey
        let row: SettingRow
        /// Whether the variable's name ends with `_FILE`, so its value is a path.
        let isFile: Bool
    }

    /// Finds the setting that a variable of this name sets; nil if there is none.
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

    /// Returns the name of the setting that an unknown name probably means; nil if none is similar.
    /// - Parameter reader: the settings that are given. A name that begins with that of a declared provider, caller or panel
    ///   means a setting that this one may have.
    func suggestion(for name: String, among reader: SettingsReader? = nil) -> String? {
        for family in families {
            guard let reader, case let declared = reader.instances(of: family.prefix),
                declared.contains(where: { name.hasPrefix("\(family.prefix)\($0)_") })
            else { continue }
            return inCapitals(name) ?? family.setting(meantBy: name, among: declared, reader)
        }
        return families.lazy.compactMap { $0.declaringName(name) }.first ?? globalNear(name) ?? globals.first {
            $0.name == name.uppercased()
        }?.name ?? inCapitals(name)
            ?? families.lazy.compactMap { $0.fieldNear(name, bound: 1) ?? $0.fieldMeant(name) ?? $0.fieldNear(name) }
            .first
    }

    /// Returns advice about an unknown name, to complete an error message, and the setting that the name probably means.
    func advice(on entry: SettingsSource.Entry, among reader: SettingsReader) -> (text: String, meant: String?) {
        let name = entry.name
        if let advice = ForeignVariables.advice(for: name) { return (advice, nil) }
        if let whole = families.lazy.compactMap({ $0.withName(name) }).first {
            return ("; the NAME is missing, as in \(whole)", whole)
        }
        if let advice = adviceOnGlobal(name) { return (advice, nil) }
        let suggestion = suggestion(for: name, among: reader)
        if name.hasSuffix("_FILE"), let base = match(String(name.dropLast(5)))?.key.name,
            suggestion.flatMap(match)?.row.type.value(entry.value) == nil
        {
            return ("; \(base) is read from no file; write its value there", base)
        }
        guard let meant = suggestion else { return ("", nil) }
        let rule = inCapitals(name) == nil ? "" : " Names consist of A-Z, 0-9 and _"
        let end = rule.isEmpty ? "" : name.utf8.contains(UInt8(ascii: "-")) ? ", without dashes." : "."
        return ("; did you mean \(meant)?\(rule)\(end)", meant)
    }

    /// Returns advice about a setting of the whole relay that is written as one of a provider, a caller or a panel, such as
    /// `KEY_A_RATE_LIMIT_BY_MODEL`; nil for other names.
    private func adviceOnGlobal(_ name: String) -> String? {
        for family in families where name.hasPrefix(family.prefix) {
            let rest = name.dropFirst(family.prefix.count)
            guard let row = globals.first(where: { rest.hasSuffix("_" + $0.name) && rest != "_" + $0.name }) else {
                continue
            }
            let kind = family.prefix.dropLast().lowercased()
            return "; write \(row.name), a setting of the whole relay: a \(kind) has none of its own"
        }
        return nil
    }

    /// Returns the name in capitals, with `_` for `-` and `.`, if that is a setting of a provider, a caller or a panel. Returns
    /// nil otherwise, or if this changes nothing.
    func inCapitals(_ name: String) -> String? {
        let capitals = String(name.uppercased().map { $0 == "-" || $0 == "." ? "_" : $0 })
        guard capitals != name, let match = match(capitals), !match.key.prefix.isEmpty else { return nil }
        return capitals
    }

    /// Returns the global setting with the most similar name; nil if none is similar.
    func globalNear(_ name: String) -> String? {
        nearest(to: name, among: globals.map(\.name).filter { $0.utf8.count >= 6 })
    }
}

extension SettingFamily {
    /// Finds the setting of this family that a variable sets, by its name after the prefix; nil if there is none.
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

    /// Returns the family's setting that an unknown name probably means; nil if none is similar.
    fileprivate func fieldNear(_ name: String, bound: Int = 2) -> String? {
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
        return nearest(to: name, among: candidates, atMost: bound)
    }

    /// Returns the family's setting whose words include those of an unknown name: `KEY_TEAM_RATE_LIMIT` for
    /// `KEY_TEAM_LIMIT`. Otherwise returns the setting that lacks words of the name: `KEY_TEAM_MODELS` for
    /// `KEY_TEAM_MODELS_ALLOWED`. Returns nil if there is none.
    fileprivate func fieldMeant(_ name: String) -> String? {
        guard name.utf8.count <= 200, name.hasPrefix(prefix) else { return nil }
        let words = name.dropFirst(prefix.count).split(separator: "_", omittingEmptySubsequences: false)
        guard words.allSatisfy(SettingFamily.isInstanceName) else { return nil }
        for start in words.indices.dropFirst() {
            let candidates = rows.map { $0.name.split(separator: "_") }.filter { Set(words[start...]).isSubset(of: $0) }
            guard let field = candidates.min(by: { $0.count < $1.count }) else { continue }
            return prefix + (words[..<start] + field).joined(separator: "_")
        }
        return words.indices.dropFirst().lazy.compactMap { self.field(withMostOf: words[$0...], of: words[..<$0]) }
            .first
    }

    /// Returns the setting of `instance` with the most words of these, in any order; nil if no setting has only such.
    private func field(withMostOf words: ArraySlice<Substring>, of instance: ArraySlice<Substring>) -> String? {
        let candidates = rows.map { $0.name.split(separator: "_") }.filter { Set($0).isSubset(of: words) }
        return candidates.max { $0.count < $1.count }.map { prefix + (instance + $0).joined(separator: "_") }
    }

    /// Returns the setting of a declared provider, caller, panel or group that a name with too many words means, such as
    /// `KEY_TEAM_RATE_LIMIT_CHAT` for `KEY_TEAM_CHAT_RATE_LIMIT`. Returns nil if the name begins with none of them.
    func setting(meantBy name: String, among declared: [String], _ reader: SettingsReader) -> String? {
        let known = declared.filter { name.hasPrefix("\(prefix)\($0)_") }
        guard let instance = known.max(by: { $0.utf8.count < $1.utf8.count }) else { return nil }
        let rest = String(name.dropFirst(prefix.count + instance.count + 1))
        let words = Set(rest.split(separator: "_"))
        guard !words.isEmpty else { return nil }
        // A provider lacks the settings of other kinds.
        let kind = reader.given[SettingKey(prefix: prefix, instance: instance, field: "KIND")]?.value as? String
        let fields: [(name: String, words: Set<Substring>)] = rows.compactMap { row in
            if let kind, let kinds = row.kinds, !kinds.contains(kind) { return nil }
            return (row.name, Set(row.name.split(separator: "_")))
        }
        let similar = nearest(to: rest, among: fields.map(\.name).filter { min($0.utf8.count, rest.utf8.count) >= 4 })
        let longer = fields.filter { words.isSubset(of: $0.words) }.min { $0.name.utf8.count < $1.name.utf8.count }
        let foreign = prefix == "PROVIDER_" ? ForeignVariables.fields[rest] : nil
        let shorter = fields.filter { $0.words.isSubset(of: words) }.max { $0.words.count < $1.words.count }
        return (similar ?? longer?.name ?? foreign ?? shorter?.name).map { "\(prefix)\(instance)_\($0)" }
    }

    /// Returns the declaring setting, such as `KEY_TEAM_TOKEN`, for the name `KEY_TEAM`, which has no field; nil for
    /// other names.
    fileprivate func declaringName(_ name: String) -> String? {
        guard let declaring = declaring.first, name.hasPrefix(prefix), case let rest = name.dropFirst(prefix.count),
            !rest.contains("_")
        else { return nil }
        return SettingFamily.isInstanceName(rest) ? "\(name)_\(declaring)" : nil
    }

    /// Returns the form of a setting's variable whose name lacks the NAME, such as `KEY_A_TOKEN` for `KEY__TOKEN` and
    /// `KEY_TOKEN`; nil if the name is another one.
    fileprivate func withName(_ name: String) -> String? {
        guard name.hasPrefix(prefix) else { return nil }
        let rest = name.dropFirst(prefix.count)
        let field = rest.hasPrefix("_") ? rest.dropFirst() : rest
        return rows.contains { $0.name == field } ? "\(prefix)A_\(field)" : nil
    }

    /// Returns whether the text can be the NAME in a variable such as `PROVIDER_<NAME>_KIND`.
    package static func isInstanceName(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 }
    }
}

/// Returns the candidate that is most similar to the name; nil if each differs in more than `bound` bytes.
package func nearest(to name: String, among candidates: [String], atMost bound: Int = 2) -> String? {
    candidates.compactMap { candidate in editDistance(name, candidate, atMost: bound).map { (candidate, $0) } }
        .min { $0.1 < $1.1 }?.0
}

extension SettingsSource.Entry {
    /// Whether a container orchestrator probably set the variable, such as `X_SERVICE_HOST`.
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

    /// This `<NAME>` of a setting's variable as the relay shows it: `team-a` for `TEAM_A`.
    var asName: String { String(lowercased().map { $0 == "_" ? "-" : $0 }) }

    /// This name as the variables of its settings contain it: `TEAM_A` for `team-a`, as in `KEY_TEAM_A_TOKEN`.
    package var asInstance: String {
        String(decoding: uppercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }
}
