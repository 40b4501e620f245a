import Engine

/// Parsing of the setting `MODEL_INFO`, which declares facts about models, such as
/// `gpt-x=context:128000,tools:false;other=input_modalities:text+image`.
extension ModelFacts {
    /// The reason why a text is not a valid list of facts. It does not quote the text.
    struct Mistake: Error { let reason: String }

    static func byModel(_ text: String) throws(Mistake) -> [String: ModelFacts] {
        var all: [String: ModelFacts] = [:]
        for row in text.split(whereSeparator: { $0 == ";" || $0.isNewline }) where !row.trimmed.isEmpty {
            guard let sign = row.firstIndex(of: "="), case let name = String(row[..<sign].trimmed), !name.isEmpty else {
                throw Mistake(reason: "a row has no model before =")
            }
            guard all[name] == nil else { throw Mistake(reason: "a model is listed twice") }
            var facts = ModelFacts()
            for item in row[row.index(after: sign)...].split(separator: ",") { try facts.read(item.trimmed) }
            all[name] = facts
        }
        guard !all.isEmpty else { throw Mistake(reason: "there is no model") }
        return all
    }

    private mutating func read(_ item: Substring) throws(Mistake) {
        guard let sign = item.firstIndex(of: ":") else {
            throw Mistake(reason: "an item is not word:value, as in context:128000")
        }
        let (word, value) = (item[..<sign].trimmed, item[item.index(after: sign)...].trimmed)
        switch word {
        case "context": contextWindow = try Self.number(word, value)
        case "output": maxOutputTokens = try Self.number(word, value)
        case "created": created = try Self.number(word, value)
        case "owned_by": owner = try Self.names(word, value)[0]
        case "input_modalities": inputs = try Self.names(word, value)
        case "output_modalities": outputs = try Self.names(word, value)
        case "supported_parameters": parameters = try Self.names(word, value)
        default:
            guard let ability = Abilities.named.first(where: { "\($0.word)" == word })?.ability else {
                throw Mistake(reason: "a word is not one of \(Self.words)")
            }
            guard value == "true" || value == "false" else { throw Mistake(reason: "\(word) must be true or false") }
            set(ability, value == "true")
        }
    }

    private static var words: String {
        let own = ["context", "output", "input_modalities", "output_modalities", "supported_parameters"]
        return (own + Abilities.named.map { "\($0.word)" } + ["created", "owned_by"]).joined(separator: ", ")
    }

    private static func number(_ word: Substring, _ value: Substring) throws(Mistake) -> Int {
        guard let number = Int(value), (1...4_000_000_000).contains(number) else {
            throw Mistake(reason: "\(word) must be a number from 1 to 4000000000")
        }
        return number
    }

    private static func names(_ word: Substring, _ value: Substring) throws(Mistake) -> [String] {
        let names = value.split(separator: "+", omittingEmptySubsequences: false).map { String($0.trimmed) }
        guard names.count <= 64, names.allSatisfy(isName) else {
            throw Mistake(reason: "\(word) must be names joined by +")
        }
        return names
    }

    /// Returns whether the text is a name of 1 to 64 letters, digits, `-` and `_`.
    package static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
}
