import Calls
import Engine

/// A quirk that a vendor's refusal shows, and the requests for which the quirk holds.
struct QuirkFinding: Sendable, Equatable {
    let quirks: LearnedQuirks
    /// The fields that are changed.
    var changes: [FieldChange] = []
    /// The refused betas, one of which a request's header must name to need the change.
    var betas: [String] = []
    /// The second field of a refused combination, without which requests need no change; nil for a single field.
    var beside: OtherField?
    /// Whether the quirk holds for later requests, too. If false, only the refused request is changed.
    var isLasting = true
    /// Whether the quirk comes from what this caller sends, so that it never changes requests of others.
    var isOfCaller = false
    /// Whether the quirk or its change already says which combination of fields was refused.
    var isOfPair = false
    /// The vendor's words that show the quirk, for operators; empty if there are none.
    var words = ""

    static func == (one: QuirkFinding, other: QuirkFinding) -> Bool {
        one.quirks == other.quirks && one.changes == other.changes && one.betas == other.betas
            && one.beside == other.beside
    }

    init(_ quirks: LearnedQuirks, isLasting: Bool = true, isOfPair: Bool = false) {
        self.quirks = quirks
        self.isLasting = isLasting
        self.isOfPair = isOfPair
    }

    /// Creates a finding that fields are changed.
    init(_ changes: [FieldChange], beside: OtherField? = nil, isLasting: Bool = true, isOfPair: Bool = false) {
        // A tool that is no longer strict needs the relay's own check.
        let isLoose = changes.contains { $0.path.last == "strict" }
        self.init(isLoose ? .noStrict : [], isLasting: isLasting, isOfPair: isOfPair)
        self.changes = changes
        self.beside = beside
    }

    /// Creates a finding that the server does not know these betas in a request's header.
    init(betas: [String], isLasting: Bool = true) {
        self.init([] as LearnedQuirks, isLasting: isLasting)
        self.betas = betas
    }

    /// The findings that are remembered one by one: one for each quirk, unless they depend on a condition together.
    var single: [QuirkFinding] {
        if beside != nil { return [self] }
        var single = betas.map { QuirkFinding(betas: [$0]) } + changes.map { QuirkFinding([$0]) }
        if single.isEmpty {
            let all = (0..<64).map { LearnedQuirks(rawValue: 1 << UInt64($0)) }
            single = all.filter { quirks.contains($0) }.map { QuirkFinding($0) }
        }
        for index in single.indices { (single[index].isOfCaller, single[index].words) = (isOfCaller, words) }
        return single
    }

    /// The finding's name for operators.
    var name: String {
        if !betas.isEmpty { return "anthropic-beta" }
        return changes.isEmpty ? quirks.names : changes.map(\.name).joined(separator: ",")
    }

    /// The requests that need the change, in words; empty for all requests.
    var conditionText: String {
        (changes.compactMap(\.conditionText) + betas + [beside?.text].compactMap(\.self)).joined(separator: ", ")
    }

    /// Returns the body with the changes of fields.
    func applied(to body: Body) -> Body { changes.reduce(body) { $1.applied(to: $0) } }

    func drops(_ field: String) -> Bool { changes.contains { $0.kind == .drop && $0.path == [field] } }

    /// Returns whether this finding's changes are among those of another one.
    func isCovered(by other: QuirkFinding) -> Bool {
        other.quirks.isSuperset(of: quirks) && changes.allSatisfy { other.changes.contains($0) }
            && betas.allSatisfy { other.betas.contains($0) }
    }

    /// Whether all requests need the change.
    var isUnconditional: Bool { betas.isEmpty && beside == nil }

    /// Whether a caller has chosen the names or values in the condition.
    var hasChosenNames: Bool {
        if !isUnconditional { return true }
        return changes.contains { $0.path.contains { name in !name.withBytes { FieldNames.isOfResponses($0) } } }
    }

    /// Returns whether the body of a request meets the condition, so that the vendor would refuse the request.
    func concerns(_ request: RawJSON) -> Bool {
        betas.isEmpty && beside?.isIn(request) ?? true
            && (changes.isEmpty || changes.contains { $0.concerns(request) })
    }
}
