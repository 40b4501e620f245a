import Engine
import Limits

/// A reader that finds and checks the values of all settings, and collects all problems.
struct SettingsReader {
    /// A valid value of a setting, with the text and the location from which it was read.
    struct GivenValue {
        let row: SettingRow
        let text: String
        let location: String
        /// The value in the form that the type of the setting gives it.
        let value: any Sendable
    }

    private(set) var given: [SettingKey: GivenValue] = [:]
    /// The defaults that depend on other settings or on the machine, in bytes.
    private(set) var derived: [SettingKey: (text: String, value: Int)] = [:]
    private(set) var problems: [SettingsProblem] = []
    private(set) var warnings: [SettingsProblem] = []
    /// The names of variables that set no known setting. Of the environment, only names that resemble the relay's
    /// settings.
    private(set) var unknownNames: Set<String> = []
    /// The settings that the unknown names probably mean. A problem that only follows from their absence is not
    /// reported.
    private(set) var meantNames: Set<String> = []
    /// Whether a line of a file could not be read, or became a part of a value before it, so that it is unknown what it
    /// sets.
    private(set) var lacksLines: Bool
    let table: SettingsTable
    let readFile: (String) throws(FileProblem) -> [UInt8]

    /// Reads and checks the values of all settings.
    /// - Parameters:
    ///   - sources: the sources of values; an earlier source overrides a later one.
    ///   - readFile: returns the content of the file at a path.
    init(
        _ sources: [SettingsSource],
        table: SettingsTable,
        readFile: @escaping (String) throws(FileProblem) -> [UInt8]
    ) {
        self.table = table
        self.readFile = readFile
        problems = sources.flatMap(\.problems)
        lacksLines = sources.contains(where: \.lacksLines)
        for source in sources { read(source) }
        checkNames(of: sources)
        if !lacksLines { findUnknownFields() }
    }

    /// Reads the settings of this process, without a remote document.
    static func ofProcess(_ file: SettingsSource.File) -> SettingsReader {
        SettingsReader(SettingsSource.ofProcess(file), table: .product, readFile: readSettingsFile)
    }

    private var locationsByName: [String: String] = [:]

    private mutating func read(_ source: SettingsSource) {
        for entry in source.entries where !entry.value.isEmpty {
            guard let match = table.match(entry.name) else { continue }
            let location = source.location(of: entry)
            let name = match.key.name
            if let other = locationsByName[match.isFile ? name : name + "_FILE"], match.row.mayComeFromFile {
                let text = "\(match.isFile ? name : name + "_FILE") is also set (\(other)); remove one of them"
                problems.append(SettingsProblem(location: location, name: entry.name, text: text))
                continue
            }
            guard locationsByName[entry.name] == nil else { continue }  // an earlier source has set it
            locationsByName[entry.name] = location
            read(entry, as: match, at: location)
        }
    }

    private mutating func read(_ entry: SettingsSource.Entry, as match: SettingsTable.Match, at location: String) {
        let row = match.row
        let adviceOnEnvFile = entry.adviceOnEnvFile
        if entry.hasLine(where: { table.match($0) != nil }) {
            lacksLines = true
            let advice = "end its quotes, and save the file with LF at the ends of lines"
            return report(at: location, entry.name, "a later line of this value sets another variable; \(advice)")
        }
        do throws(FileProblem) {
            let text = match.isFile ? try contents(of: entry.value, as: row) : entry.value
            if match.isFile, row.type == .list, text.isEmpty {  // Such a list begins without items.
                given[match.key] = GivenValue(row: row, text: "", location: location, value: [String]())
                return
            }
            if row.type == .file && match.key != .global("ENV_FILE"), let problem = try certificateProblem(text) {
                return report(at: location, entry.name, "\"\(text)\" \(problem)")
            }
            guard !text.isEmpty else {
                return report(
                    at: location,
                    entry.name,
                    "the file \"\(entry.value)\" is empty; write the value of \(match.key.name) into it"
                )
            }
            guard let value = row.type.value(text), row.type != .timeZone || isZone(text) else {
                let isKind = match.key.prefix == "PROVIDER_" && row.name == "KIND"
                let meant = isKind ? ForeignVariables.advice(onKind: text, of: match.key.instance) : nil
                // The further lines may be secrets, and reasons quote what is invalid.
                let specific = text.contains(where: \.isNewline) ? nil : row.type.reason(text) ?? meant
                let reason = (adviceOnEnvFile ?? specific).map { ": \($0)" } ?? ""
                return report(
                    at: location,
                    entry.name,
                    "\(row.quoted(text)) is not \(row.type.expectation)\(reason)"
                )
            }
            if let adviceOnEnvFile, row.type != .text {
                warnings.append(SettingsProblem(location: location, name: entry.name, text: adviceOnEnvFile))
            }
            given[match.key] = GivenValue(row: row, text: text, location: location, value: value)
        } catch {
            // A secret that was given in place of a file name must not appear in the log.
            let isPath = row.trait != .secret || entry.value.hasPrefix("/") || entry.value.hasPrefix("./")
            let file = isPath && !entry.value.contains(where: \.isNewline) ? "\"\(entry.value)\"" : "the file"
            let advice =
                (adviceOnEnvFile ?? (SettingType.isOfHome(entry.value) ? SettingType.adviceOnHome : nil))
                .map { "; \($0)" } ?? error.advice
            report(at: location, entry.name, "\(file) cannot be read: \(error.text)\(advice)")
        }
    }

    /// Reports unknown variables in files, and those in the environment that resemble the relay's settings.
    private mutating func checkNames(of sources: [SettingsSource]) {
        let isStrict = boolean("STRICT_CONFIG")
        for source in sources {
            for entry in source.entries where table.match(entry.name) == nil {
                guard let isMistake = source.isEnvironment ? isMistake(entry) : true else { continue }
                let advice = table.advice(on: entry, among: self)
                reportUnknown(entry.name, at: source.location(of: entry), advice, isProblem: isMistake && isStrict)
            }
        }
    }

    private mutating func reportUnknown(
        _ name: String,
        at location: String,
        _ advice: (text: String, meant: String?),
        isProblem: Bool
    ) {
        unknownNames.insert(name)
        if let meant = advice.meant { meantNames.insert(meant) }
        let problem = SettingsProblem(location: location, name: name, text: "unknown variable\(advice.text)")
        if isProblem { problems.append(problem) } else { warnings.append(problem) }
    }

    /// Returns whether an unknown variable in the process environment is a mistake. False means that it only deserves a
    /// warning; nil that it belongs to another program.
    private func isMistake(_ entry: SettingsSource.Entry) -> Bool? {
        if entry.isInjected { return nil }
        if table.ownPrefixes.contains(where: { entry.name.hasPrefix($0) }) { return true }
        if declaredPrefixes.contains(where: { entry.name.hasPrefix($0) }) { return true }
        if table.sharedPrefixes.contains(where: { entry.name.hasPrefix($0) }) { return false }
        if table.inCapitals(entry.name) != nil { return false }
        return table.globalNear(entry.name) == nil ? nil : false
    }

    /// The prefixes of variables that belong to declared providers, keys and the like, such as `PROVIDER_A_`.
    private var declaredPrefixes: [String] {
        table.families.flatMap { family in
            (instances(of: family.prefix) + [family.defaults].compactMap(\.self)).map { "\(family.prefix)\($0)_" }
        }
    }

    /// Finds and reports settings of undeclared providers, callers or panels, such as `PROVIDER_A_MODELS` without
    /// `PROVIDER_A_KIND`. If their names begin with those of declared ones, they have a word too many.
    private mutating func findUnknownFields() {
        for family in table.families {
            let declared = family.declaring.isEmpty ? usedGroups : instances(of: family.prefix)
            let stray = given.filter {
                $0.key.prefix == family.prefix && !declared.contains($0.key.instance)
                    && $0.key.instance != family.defaults
            }
            for (key, variable) in stray.sorted(by: { $0.key.name < $1.key.name }) {
                let declaring = SettingKey(
                    prefix: family.prefix,
                    instance: key.instance,
                    field: family.declaring.first ?? ""
                ).name
                if meantNames.contains(declaring) { continue }
                if problems.contains(where: { $0.name == declaring || $0.name == declaring + "_FILE" }) { continue }
                if let meant = family.setting(meantBy: key.name, among: declared, self) {
                    given[key] = nil
                    let advice = ("; did you mean \(meant)?", meant as String?)
                    reportUnknown(key.name, at: variable.location, advice, isProblem: boolean("STRICT_CONFIG"))
                    continue
                }
                if family.declaring.isEmpty { continue }
                let meant = declared.flatMap { instance in
                    family.rows.map { SettingKey(prefix: family.prefix, instance: instance, field: $0.name).name }
                }
                let hint = nearest(to: key.name, among: meant).map { "; did you mean \($0)?" }
                report(
                    at: variable.location,
                    key.name,
                    "\(declaring) is not set\(hint ?? advice(onDeclaring: declaring, family))"
                )
            }
        }
    }

    /// The groups that callers have, as the names of the groups' settings contain them.
    private var usedGroups: [String] {
        given.keys.filter { $0.prefix == "KEY_" && $0.field == "GROUP" }.flatMap(list).map(\.asInstance)
    }

    private func advice(onDeclaring name: String, _ family: SettingFamily) -> String {
        let type = family.rows.first { $0.name == family.declaring.first }?.type
        guard let type, type.expectation.hasPrefix("one of ") else { return "; set it, or remove this line" }
        return "; set it to \(type.expectation)"
    }

    mutating func report(at location: String, _ name: String, _ text: String) {
        let problem = SettingsProblem(location: location, name: name, text: text)
        if !problems.contains(problem) { problems.append(problem) }
    }

    /// Records a warning about a setting, once if several keys have the same default.
    mutating func warn(_ key: SettingKey, _ text: String) {
        let key = origin(of: key)
        let warning = SettingsProblem(location: location(key), name: key.name, text: text)
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    /// Returns the source of a setting's value, such as `.env:4`; `default` if there is none.
    func location(_ key: SettingKey) -> String { given[key]?.location ?? "default" }

    /// Reports a problem with a setting, and the place from which its value comes.
    mutating func report(_ key: SettingKey, _ text: String) {
        let key = origin(of: key)
        report(at: given[key]?.location ?? "environment", key.name, text)
    }
}

/// Access to the values of settings. An unset or invalid setting has its default value.
extension SettingsReader {
    /// Returns the names of the declared providers, callers or panels, sorted: `A` if `PROVIDER_A_KIND` is set.
    func instances(of prefix: String) -> [String] {
        guard let family = table.families.first(where: { $0.prefix == prefix }) else { return [] }
        let declaring = given.keys.filter {
            $0.prefix == prefix && (family.declaring.isEmpty || family.declaring.contains($0.field))
                && $0.instance != family.defaults
        }
        return Set(declaring.map(\.instance)).sorted()
    }

    /// Sets a default that depends on other settings or on the machine.
    mutating func derive(_ key: SettingKey, megabytes: Int) {
        derived[key] = (String(megabytes), megabytes * 1_048_576)
    }

    /// Returns the key under which a setting's value is given: its own, or that of the family's defaults.
    func origin(of key: SettingKey) -> SettingKey {
        guard given[key] == nil, let family = table.families.first(where: { $0.prefix == key.prefix }),
            let defaults = family.defaults, !family.declaring.contains(key.field)
        else { return key }
        let shared = SettingKey(prefix: key.prefix, instance: defaults, field: key.field)
        return given[shared] == nil ? key : shared
    }

    /// Returns the value of a setting in the form that its type gives it, or its default; nil if it has neither.
    func value<Value>(_ key: SettingKey) -> Value? {
        if let given = given[origin(of: key)] { return given.value as? Value }
        if let derived = derived[key] { return derived.value as? Value }
        let row = row(key)
        return row.fallback.isEmpty ? nil : row.type.value(row.fallback) as? Value
    }

    func row(_ key: SettingKey) -> SettingRow {
        let rows =
            key.prefix.isEmpty ? table.globals : table.families.filter { $0.prefix == key.prefix }.flatMap(\.rows)
        guard let row = rows.first(where: { $0.name == key.field }) else {
            preconditionFailure("no row for \(key.name)")
        }
        return row
    }

    func text(_ key: SettingKey) -> String? { value(key) }

    func number(_ key: SettingKey) -> Int { value(key) ?? 0 }

    func duration(_ key: SettingKey) -> Duration { value(key) ?? .zero }

    func boolean(_ key: SettingKey) -> Bool { value(key) ?? false }

    func list(_ key: SettingKey) -> [String] { value(key) ?? [] }

    func patterns(_ key: SettingKey) -> [ModelPattern] { value(key) ?? [] }

    /// Returns the word of a choice; nil if the setting is unset and has no default.
    func word<Word: RawRepresentable<String>>(_ key: SettingKey) -> Word? { text(key).flatMap { Word(rawValue: $0) } }

    /// Returns the limits in a setting: empty for `off`; nil if there is no value.
    func quotas(_ key: SettingKey) -> [Quota]? { value(key) }
}

extension SettingKey: ExpressibleByStringLiteral {
    package init(stringLiteral name: String) { self = .global(name) }
}
