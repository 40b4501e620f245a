import Shared

extension UsageRecord {
    /// Returns the kind of a failure's cause: its first sentence, with `…` in place of names, hosts, paths and amounts.
    ///
    /// The name of the provider, statuses and the quotas of limits stay. So causes that differ in a wait are one kind.
    static func kind(ofCause cause: String) -> String {
        var text = cause[...]
        if let end = text.firstRange(of: ". ") { text = text[..<end.lowerBound] }
        if text.last == "." { text = text.dropLast() }
        if text.hasPrefix("The budget of ") {
            return String(
                [", has ", ", is used up"].lazy.compactMap { text.firstRange(of: $0) }.first.map {
                    text[..<$0.lowerBound]
                } ?? text
            )
        }
        let words = text.split(separator: " ")
        var kind: [Substring] = []
        var quote: Character?
        for (index, word) in words.enumerated() {
            let bare = word.drop { "(\"'`".contains($0) }.prefix { !"),:;\"'`".contains($0) }
            let next = index + 1 < words.count ? words[index + 1] : ""
            if quote == nil, let first = word.first, "\"'`".contains(first) { quote = first }
            let isKey = next == "was" && kind.last == "key"
            let isProvider = index == 0 && word.last == ":"
            guard quote != nil || isKey || !isProvider && isVariable(word, bare, after: kind.last ?? "", before: next)
            else {
                kind.append(word)
                continue
            }
            let end = word.reversed().prefix { ",:;)".contains($0) }.reversed()
            if let mark = quote, word.dropLast(end.count).last == mark, word.count > end.count + 1 { quote = nil }
            if kind.last != "…" { kind.append("…") }
            if quote == nil, !end.isEmpty { kind[kind.count - 1] += String(end) }
        }
        return kind.joined(separator: " ")
    }

    /// Returns whether a word differs between failures of one kind: a host, a path, or a number that is neither a status
    /// nor the number of a quota.
    private static func isVariable(
        _ word: Substring,
        _ bare: Substring,
        after last: Substring,
        before next: Substring
    ) -> Bool {
        if word.contains("/") || bare.dropFirst().dropLast().contains(".") && !bare.allSatisfy(isOfNumber) {
            return true
        }
        guard word.contains(where: \.isNumber) else { return false }
        if last == "per" || ["per", "concurrent"].contains(next) { return false }
        let isStatus = bare.count == 3 && Int(bare).map((100..<600).contains) ?? false
        return !isStatus || ["s", "ms", "min", "seconds"].contains(next)
    }

    private static func isOfNumber(_ character: Character) -> Bool { character.isNumber || character == "." }
}
