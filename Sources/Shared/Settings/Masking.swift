import Engine

extension String {
    /// For messages and listings: at most the first four and the last two characters, nothing of fewer than twelve.
    package var masked: String { count < 12 ? "..." : "\(prefix(4))...\(suffix(2))" }
}

extension SettingRow {
    /// A value as it may be shown: secrets masked item by item, passwords wholly, a URL without its credentials.
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

    /// A value as a problem quotes it: on one line and not for ever; of a secret nothing.
    func quoted(_ text: String) -> String {
        if trait == .secret { return "the value" }
        let plain = String(String.UnicodeScalarView(shown(text).unicodeScalars.map { $0.value < 32 ? " " : $0 }))
        return plain.count > 60 ? "\"\(plain.prefix(57))...\"" : "\"\(plain)\""
    }
}

extension String {
    /// The place behind the first occurrence of `mark`.
    fileprivate func range(after mark: String) -> Index? {
        indices.first { self[$0...].hasPrefix(mark) }.map { index($0, offsetBy: mark.count) }
    }
}
