import Engine

extension String {
    /// The text with its middle replaced by `...`; below twelve characters only `...`.
    package var masked: String { count < 12 ? "..." : "\(prefix(4))...\(suffix(2))" }
}

extension SettingRow {
    /// Returns the value of this setting for display. Secrets are masked, passwords are hidden, and URLs lose their
    /// credentials and queries.
    func shown(_ text: String) -> String {
        if type == .password { return text.isEmpty ? "" : "..." }
        if type == .database { return text.isEmpty ? "" : text.masked }
        if trait == .secret {
            return text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed).masked }.joined(separator: ",")
        }
        guard type == .url || type == .proxy else { return text }
        // A query may have a key.
        let site = text.firstIndex(of: "?").map { "\(text[...$0])..." } ?? text
        let start = site.range(after: "://") ?? site.startIndex
        guard let at = site.lastIndex(of: "@"), start < at else { return site }
        return "\(site[..<start])...\(site[at...])"
    }

    /// Returns the value as an error message quotes it: shortened, and without a secret. A value of several lines is not
    /// quoted, because an open quote makes the following settings a part of it.
    func quoted(_ text: String) -> String {
        let isVendorsKey = ["sk-", "gsk_", "AIza"].contains(where: text.hasPrefix)
        if trait == .secret || isVendorsKey || text.contains(where: \.isNewline) { return "the value" }
        let plain = String(String.UnicodeScalarView(shown(text).unicodeScalars.map { $0.value < 32 ? " " : $0 }))
        return plain.count > 60 ? "\"\(plain.prefix(57))...\"" : "\"\(plain)\""
    }
}

extension String {
    /// Returns the index after the first occurrence of `mark`; nil if the text does not contain `mark`.
    fileprivate func range(after mark: String) -> Index? {
        indices.first { self[$0...].hasPrefix(mark) }.map { index($0, offsetBy: mark.count) }
    }
}

/// A setting and its current value, as `relay config` prints them. Secrets are masked.
package struct EffectiveSetting: Sendable, Equatable {
    package let name: String
    package let shown: String
    /// The source of the value: `default`, `environment`, or a file and line.
    package let location: String

    /// The value as a `.env` file needs it, in double quotes if necessary.
    package var dotenvValue: String {
        let isPlain = shown.utf8.allSatisfy { byte in
            byte > 32 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
        }
        if isPlain && shown.first != "#" { return shown }
        let escaped = shown.map { character in
            switch character {
            case "\n": "\\n"
            case "\"", "\\": "\\\(character)"
            default: String(character)
            }
        }
        return "\"\(escaped.joined())\""
    }
}
