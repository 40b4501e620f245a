import Engine

extension RefusalWords {
    /// The name of a field in a vendor's words, or a path to a field: `tools[0].function.strict`.
    struct FieldName {
        /// The names of the path, without indexes.
        let parts: [String]

        init(_ text: String) {
            let all = text.split { ".[]".contains($0) }.map(String.init)
            // Go and Java write the type before the field, with a point between them.
            let isOfType = all.count > 1 && all[0].first?.isUppercase ?? false
            parts = all.dropFirst(isOfType ? 1 : 0).filter { $0 != "body" && !$0.utf8.allSatisfy(\.isDigit) }
        }

        /// Returns whether this is a name of the field with that path.
        func names(_ path: [String]) -> Bool {
            guard let last = parts.last, let field = path.last, Self.areEqual(last, field) else { return false }
            return parts.count == 1 || Self.areEqual(parts[0], path[0])
                || path.count >= parts.count && zip(path.suffix(parts.count), parts).allSatisfy(Self.areEqual)
        }

        /// Returns whether a vendor's word is the field's name: in the same letter case, or in the vendor's own style
        /// (`presencePenalty` for `presence_penalty`).
        private static func areEqual(_ word: String, _ field: String) -> Bool {
            if word.hasSameBytes(as: field) { return true }
            guard word.utf8.contains(UInt8(ascii: "_")) != field.utf8.contains(UInt8(ascii: "_")) else { return false }
            return word.lowercased().filter { $0 != "_" } == field.lowercased().filter { $0 != "_" }
        }
    }

    /// The words that may name a field: those in quotes, with underscores or points, in camel case, and known names. An
    /// ordinary word counts if the sentence is about a parameter of this name, or behind another name in a list. Words
    /// behind an offer, such as `use`, do not count.
    var fieldNames: [FieldName] {
        let words = tokens
        let end = words.firstIndex { Self.offers.contains($0.text.lowercased()) } ?? words.count
        var (names, isListed) = ([FieldName](), false)
        for (index, word) in words[..<end].enumerated() {
            if isListed, Self.joints.contains(word.text) { continue }
            let next = index + 1 < words.count ? words[index + 1].text : ""
            let isLikeName =
                word.text.contains { $0 == "_" || $0 == "." || $0 == "[" }
                || word.text.first?.isLowercase ?? false && word.text.contains(where: \.isUppercase)
            let isMeant =
                word.mark == .quote || isLikeName || Self.isKnown(word.text) || Self.verbs.contains(next)
                || word.mark == .equals && Self.literals.contains(next) || Self.nouns.contains(next)
                || words[max(0, index - 2)..<index].contains { Self.nouns.contains($0.text) }
                || isListed && (word.isBehindComma || Self.joints.contains(words[index - 1].text))
            isListed = isMeant
            let name = FieldName(word.text)
            if isMeant, let last = name.parts.last, !unclear.contains(last.lowercased()) { names.append(name) }
        }
        return names
    }

    private static let offers: Set = [
        "use", "mean", "instead", "allowed:", "supported:", "expected", "values", "known",
    ]
    private static let verbs: Set = ["is", "are", "does", "cannot", "may", "must", "Extra"]
    private static let nouns: Set = [
        "parameter", "parameters", "param", "argument", "supplied", "field", "fields", "property",
    ]
    private static let joints: Set = ["and", "or"]
    private static let literals: Set = ["True", "False", "None", "true", "false", "null"]

    private static func isKnown(_ word: String) -> Bool {
        FieldNames.ofChats.contains { word.hasSameBytes(as: "\($0)") }
    }

    /// The value, or the last word about it, that alone a server accepts: `only 0.95 is allowed`; nil if there is none.
    var onlyValue: String? {
        named.clauses.lazy.compactMap { clause -> String? in
            guard let only = clause.firstIndex(of: "only"), case let rest = clause[(only + 1)...].prefix(5),
                let verb = rest.firstIndex(of: "is"), verb > rest.startIndex, verb + 1 < rest.endIndex,
                ["allowed", "supported", "accepted", "permitted"].contains(rest[verb + 1])
            else { return nil }
            return rest[verb - 1]
        }
        .first
    }

    /// The numbers in the message that stand alone.
    var numbers: [Int] { tokens.compactMap { Int($0.text) } }

    enum Mark {
        case none
        case quote
        /// The word is before `=`.
        case equals
    }

    /// The words and paths, without points and brackets around them.
    var tokens: [(text: String, mark: Mark, isBehindComma: Bool)] {
        var tokens: [(text: String, mark: Mark, isBehindComma: Bool)] = []
        var end = 0
        for word in namedText.split(whereSeparator: { !PhraseMatcher.isOfName($0) && !"-.[]".utf8.contains($0) }) {
            let next = word.endIndex < namedText.count ? namedText[word.endIndex] : 0
            let isQuoted =
                word.startIndex > 0 && namedText[word.startIndex - 1] == next && "'`\"".utf8.contains(next)
            let inner = word.drop { "[]".utf8.contains($0) }.reversed()
            let text = String(decoding: inner.drop { ".[]".utf8.contains($0) }.reversed(), as: UTF8.self)
            let isBehindComma = namedText[end..<word.startIndex].contains(UInt8(ascii: ","))
            end = word.endIndex
            if !text.isEmpty {
                tokens.append((text, isQuoted ? .quote : next == UInt8(ascii: "=") ? .equals : .none, isBehindComma))
            }
        }
        return tokens
    }

    /// Returns whether the vendor's own words contain a text, in its letter case.
    func contains(_ text: String) -> Bool { String(decoding: namedText, as: UTF8.self).contains(text) }
}
