extension SettingsSource.Entry {
    /// Returns whether a further line of the value has the form `NAME=value` with such a name.
    func hasLine(where isSetting: (String) -> Bool) -> Bool {
        guard value.utf8.contains(where: { $0 == 10 || $0 == 13 }) else { return false }
        return value.split(whereSeparator: \.isNewline).dropFirst().contains { line in
            let name = line.prefix { $0 != "=" }.split { $0 == " " || $0 == "\t" || $0 == "#" }.last
            return line.contains("=") && name.map { isSetting(String($0)) } ?? false
        }
    }
}
