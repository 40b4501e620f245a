import Engine

extension String {
    /// The text for messages and listings: at most its first four and last two characters, and none of a text shorter
    /// than twelve.
    package var masked: String { count < 12 ? "..." : "\(prefix(4))...\(suffix(2))" }
}

extension SettingRow {
    /// Returns a value as it may be displayed: each secret masked, a password hidden completely, a URL without
    /// credentials.
    func shown(_ text: String) -> String {
        if type == .password { return text.isEmpty ? "" : "..." }
        if type == .database { return text.isEmpty ? "" : text.masked }
        if trait == .secret {
            return text.split { $0 == "," || $0.isNewline }.map { String($0.trimmed).masked }.joined(separator: ",")
        }
        guard let at = text.lastIndex(of: "@"), type == .url || type == .proxy else { return text }
        let start = text.range(after: "://") ?? text.startIndex
        return start < at ? "\(text[..<start])...\(text[at...])" : text
    }

    /// Returns a value as a message quotes it: on one line, shortened, and nothing of a secret.
    func quoted(_ text: String) -> String {
        if trait == .secret { return "the value" }
        let plain = String(String.UnicodeScalarView(shown(text).unicodeScalars.map { $0.value < 32 ? " " : $0 }))
        return plain.count > 60 ? "\"\(plain.prefix(57))...\"" : "\"\(plain)\""
    }
}

extension String {
    /// Returns the position after the first occurrence of `mark`; nil if there is none.
    fileprivate func range(after mark: String) -> Index? {
        indices.first { self[$0...].hasPrefix(mark) }.map { index($0, offsetBy: mark.count) }
    }
}
