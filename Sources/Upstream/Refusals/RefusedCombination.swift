import Engine

/// The words of a refusal that concern a combination: a field that the vendor accepts without another one.
struct RefusedCombination {
    private let request: RawJSON
    private let fields: [(path: String, name: String)]
    /// The words of each clause, without clauses that offer a replacement.
    private let clauses: [[String]]

    init(_ words: RefusalWords, of request: RawJSON) {
        self.request = request
        fields = request.fieldPaths.filter(Self.isField).map { path in
            (path.joined(separator: "."), Self.plain(path[path.count - 1]))
        }
        clauses = words.named.clauses.filter { clause in
            clause.first { !["or", "and", "please"].contains($0) }.map { !Self.offers.contains($0) } ?? false
        }
    }

    /// Returns whether a path is that of a field outside of the conversation.
    private static func isField(_ path: [String]) -> Bool {
        switch path.count {
        case 1: !["model", "messages", "input", "contents", "system"].contains(path[0])
        case 2: ["generationConfig", "output_config", "reasoning", "text"].contains(path[0])
        default: false
        }
    }

    private static let offers: Set = ["use", "try", "consider", "see", "set", "instead", "launch"]
    /// The verbs between a field or a mode and another field that it excludes.
    private static let verbs: Set = [
        "support", "supports", "allow", "allows", "permit", "permits", "accept", "accepts",
    ]
    /// The words before a condition. Behind `with`, only a field or a mode is a condition.
    private static let markers: Set = ["when", "whenever", "while", "if", "unless", "without", "with", "alongside"]
    private static let pairs: Set = [
        "together", "incompatible", "compatible", "both", "simultaneously", "mutually", "combined", "combination",
        "conflict", "conflicts", "conflicting", "combining",
    ]
    /// The names of fields that a request may lack. Names that are ordinary words, too, are not among them.
    private static let known = Set(FieldNames.ofChats.map { "\($0)" })
        .subtracting(["model", "messages", "n", "stop", "user", "audio"])
    /// The nouns of places in which a field is refused whatever the other fields are, and the word for a reader.
    private static let places: Set = [
        "model", "models", "endpoint", "account", "organization", "deployment", "api", "provider", "version", "server",
        "key", "region", "project", "plan", "you",
    ]

    /// The fields that vendors mean by a plain word.
    private static let meanings: [(words: Set<String>, paths: [String])] = [
        (
            ["thinking", "reasoning"],
            [
                "thinking", "enable_thinking", "reasoning_effort", "reasoning", "generationConfig.thinkingConfig",
                "chat_template_kwargs",
            ]
        ),
        (["tools", "tool", "functions", "function"], ["tools", "functions"]), (["toolchoice"], ["tool_choice"]),
        (
            ["json", "structured", "schema", "mime"],
            ["response_format", "output_config.format", "text.format", "generationConfig.responseMimeType"]
        ),
        (["streaming", "streamed", "non-streaming"], ["stream"]), (["fast"], ["speed"]),
    ]

    /// Returns the name as it is compared: in lower case and without underscores.
    private static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" } }

    /// Returns the finding as it holds for later requests. If the refusal names a condition, the quirk holds only
    /// beside the other field, or only for this request if that field cannot be found.
    /// - Parameter changed: the request with the finding's change; nil for a lacking ability.
    func scoped(_ finding: QuirkFinding, changed: RawJSON?) -> QuirkFinding {
        guard finding.isLasting, finding.beside == nil, !finding.isOfPair, isCondition else { return finding }
        var finding = finding
        finding.beside = other(than: finding, changed: changed)
        finding.isLasting = finding.beside != nil
        return finding
    }

    /// Whether the words contain a condition.
    var isCondition: Bool {
        clauses.contains { clause in
            !subjects(of: clause).isEmpty
                || clause.indices.contains { index in
                    let word = clause[index]
                    let rest = clause[(index + 1)...].prefix { !Self.markers.contains($0) }
                    if word == "in" { return rest.dropFirst().prefix(3).contains("mode") }
                    if word == "for" { return rest.indices.prefix(2).contains { paths(clause, $0) == ["stream"] } }
                    let isPair = Self.pairs.contains(word) || word == "same" && rest.first == "time"
                    guard isPair || Self.markers.contains(word) else { return false }
                    if rest.indices.contains(where: { !paths(clause, $0).isEmpty }) { return true }
                    if isPair, namesSeveral { return true }
                    if word == "with" { return rest.contains("mode") }
                    let behind = clause[(index + 1)...]
                    return !behind.contains { Self.places.contains($0) || Self.isModel($0) }
                }
        }
    }

    /// The paths of the fields in conditions at the beginning of a clause: `when tools are set, n is not supported`.
    var leading: Set<String> {
        Set(
            clauses.flatMap { clause -> [String] in
                let isCondition = Self.markers.contains(clause[0]) || clause[0] == "in" || clause[0] == "for"
                return isCondition ? clause.indices.flatMap { paths(clause, $0) } : subjects(of: clause)
            }
        )
    }

    /// Returns the paths of the field or mode that excludes another field: `thinking mode does not support n`.
    private func subjects(of clause: [String]) -> [String] {
        guard let verb = clause.firstIndex(where: Self.verbs.contains) else { return [] }
        let before = clause.indices[..<verb]
        if before.contains(where: { Self.places.contains(clause[$0]) || Self.isModel(clause[$0]) }) { return [] }
        let subjects = before.flatMap { paths(clause, $0) }
        let objects = clause.indices[(verb + 1)...].flatMap { paths(clause, $0) }
        return objects.isEmpty || !Set(subjects).isDisjoint(with: objects) ? [] : subjects
    }

    /// The one field of the request that is refused in streams but cannot be left out; nil if the words name none or more.
    var keptInStreams: OtherField? {
        let named = clauses.flatMap { clause in
            clause.indices.compactMap { paths(clause, $0).first { request.value(at: $0) != nil } }
        }
        guard case let named = Set(named), named.contains("stream"), named.count == 2,
            let other = named.first(where: Self.kept.contains)
        else { return nil }
        return OtherField(paths: [other], state: OtherField.state(of: [other], in: request))
    }

    private static let kept: Set = ["tools", "functions", "logprobs"]

    private var namesSeveral: Bool {
        Set(clauses.flatMap { clause in clause.indices.compactMap { paths(clause, $0).first } }).count > 1
    }

    /// Returns whether a word is a model's name, such as `gpt-5`.
    private static func isModel(_ word: String) -> Bool {
        word.contains("-") && word.utf8.contains(where: \.isDigit)
    }

    /// Returns the paths that a word may mean; empty if it names no field.
    private func paths(_ clause: [String], _ index: Int) -> [String] {
        var names = clause[index].split(separator: ".").map { Self.plain(String($0)) }
        let next = index + 1 < clause.count ? clause[index + 1] : ""
        if names == ["tool"], next == "choice" { names = ["toolchoice"] }
        let named = fields.filter { names.contains($0.name) }.map(\.path)
        if !named.isEmpty { return named }
        if Self.known.contains(clause[index]) { return [clause[index]] }
        return Self.meanings.first { !$0.words.isDisjoint(with: names) }?.paths ?? []
    }

    /// The fields that need an ability, and those that always stand beside them.
    private static func fields(of quirk: Quirk) -> [String]? {
        switch quirk {
        case .named(.noTools), .named(.noForcing), .named(.noRequired): ["tools", "functions", "tool_choice"]
        case .named(.noObjects), .named(.noSchemas): meanings.first { $0.words.contains("json") }?.paths
        case .named(.noChoices): ["n", "generationConfig.candidateCount"]
        case .named(.noStops): ["stop", "stop_sequences", "generationConfig.stopSequences"]
        default: nil
        }
    }

    /// Returns the field beside which another field or an ability was refused; nil if the words name none.
    private func other(than finding: QuirkFinding, changed: RawJSON?) -> OtherField? {
        let own = finding.quirks.first.flatMap(Self.fields)
        if changed == nil, own == nil { return nil }
        let isKept = { (path: String) -> Bool in
            guard let changed else { return !(own ?? []).contains(path) }
            guard let value = changed.value(at: path) else { return request.value(at: path) == nil }
            return request.value(at: path)?.bytes.equals(value.bytes) ?? false
        }
        var absent: OtherField?
        for clause in clauses {
            for index in clause.indices {
                let paths = paths(clause, index)
                guard !paths.isEmpty, paths.allSatisfy(isKept) else { continue }
                let state = OtherField.state(of: paths, in: request)
                let other = OtherField(paths: paths, state: state)
                if state != .absent { return other }
                absent = absent ?? other
            }
        }
        return absent
    }
}
