import Calls
import Engine

/// The name of a quirk in the log.
typealias QuirkName = (quirk: LearnedQuirks, name: StaticString)

/// A quirk that a vendor's refusal shows, and the requests for which the quirk holds.
struct QuirkFinding: Sendable, Equatable {
    /// A property of requests on which a quirk depends.
    enum Condition: Sendable, Equatable {
        /// The field has none of the accepted values, which are in lower case.
        case otherValue(than: [String], of: String)
        /// The request's header names one of these betas.
        case betas([String])
    }

    let quirks: LearnedQuirks
    /// The fields that are changed.
    var changes: [FieldChange] = []
    /// The condition that a request must meet to need the change; nil if all requests need it.
    var condition: Condition?
    /// The second field of a refused combination, without which requests need no change; nil for a single field.
    var beside: OtherField?
    /// Whether the quirk holds for later requests, too. If false, only the refused request is changed.
    var isLasting = true
    /// Whether the quirk comes from what this caller sends, so that it never changes requests of others.
    var isOfCaller = false
    /// Whether the quirk or its condition already says which combination of fields was refused.
    var isOfPair = false
    /// The vendor's words that show the quirk, for operators; empty if there are none.
    var words = ""

    static func == (one: QuirkFinding, other: QuirkFinding) -> Bool {
        one.quirks == other.quirks && one.changes == other.changes && one.condition == other.condition
            && one.beside == other.beside
    }

    init(_ quirks: LearnedQuirks, when condition: Condition? = nil, isLasting: Bool = true) {
        self.quirks = quirks
        self.condition = condition
        self.isLasting = isLasting
    }

    /// Creates a finding that fields are changed.
    init(changes: [FieldChange], isLasting: Bool = true) {
        self.init(LearnedQuirks(), isLasting: isLasting)
        self.changes = changes
    }

    /// The findings that are remembered one by one: one for each quirk, unless they depend on a condition together.
    var single: [QuirkFinding] {
        let conditions: [Condition]
        switch condition {
        case .betas(let names): conditions = names.map { .betas([$0]) }
        default: conditions = condition.map { [$0] } ?? []
        }
        if !isUnconditional { return conditions.isEmpty ? [self] : conditions.map { alone($0) } }
        if !changes.isEmpty {
            return changes.map { (change) -> QuirkFinding in
                var finding = QuirkFinding(changes: [change])
                finding.words = words
                return finding
            }
        }
        return (0..<64).map { LearnedQuirks(rawValue: 1 << UInt64($0)) }
            .filter { quirks.contains($0) }.map { (quirk) -> QuirkFinding in
                var finding = QuirkFinding(quirk)
                finding.isOfCaller = isOfCaller
                finding.words = words
                return finding
            }
    }

    private func alone(_ condition: Condition) -> QuirkFinding {
        var finding = self
        finding.condition = condition
        return finding
    }

    /// The requests that need the change, in words; empty for all requests.
    var conditionText: String {
        let own: String? =
            switch condition {
            case nil: nil
            case .otherValue(let accepted, let field): "\(field) is not \(accepted.joined(separator: " or "))"
            case .betas(let names): names.joined(separator: ", ")
            }
        let bounds = changes.map { change -> String? in
            if case .atMost(let most) = change.kind { "\(change.name) is above \(most)" } else { nil }
        }
        return (bounds + [own, beside?.text]).compactMap { $0 }.joined(separator: ", ")
    }

    func drops(_ field: String) -> Bool { changes.contains { $0.kind == .drop && $0.path == [field] } }

    /// Returns whether this finding's changes are among those of another one.
    func isCovered(by other: QuirkFinding) -> Bool {
        other.quirks.isSuperset(of: quirks) && changes.allSatisfy { other.changes.contains($0) }
    }

    /// Whether all requests need the change.
    var isUnconditional: Bool { condition == nil && beside == nil }

    /// The betas in the condition; empty if it is another one.
    var betas: [String] { if case .betas(let names) = condition { names } else { [] } }

    /// Whether a caller has chosen the names or values in the condition.
    var hasChosenNames: Bool {
        if beside != nil || !betas.isEmpty { return true }
        return changes.contains { $0.path.contains { name in !name.withBytes { FieldNames.isOfResponses($0) } } }
    }

    /// Returns whether the body of a request meets the condition, so that the vendor would refuse the request.
    func concerns(_ request: RawJSON) -> Bool {
        if let beside, !beside.isIn(request) { return false }
        if !changes.isEmpty, !changes.contains(where: { $0.concerns(request) }) { return false }
        switch condition {
        case nil: return true
        case .otherValue(let accepted, let field):
            guard let value = request.option(field) else { return false }
            let bytes = value.content ?? value.bytes
            return !accepted.contains { Self.isEqual(bytes, $0) }
        case .betas: return false
        }
    }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer, _ value: String) -> Bool {
        guard bytes.count <= 64 else { return false }
        let text = bytes.text
        if text.hasSameBytes(as: value) { return true }
        guard let one = Double(text), let other = Double(value) else { return false }
        return one == other
    }
}

extension RawJSON {
    /// Returns the value of an option, which the Responses API may keep in the object `text` or `reasoning`.
    func option(_ name: String) -> RawJSON? {
        func value(_ object: RawJSON, _ name: String) -> RawJSON? {
            for member in object.members where name.withBytes({ $0.elementsEqual(member.name) }) {
                return member.value
            }
            return nil
        }
        if let own = value(self, name) { return own }
        if let ofText = self["text"].flatMap({ value($0, name) }) { return ofText }
        return name.hasSameBytes(as: "reasoning_effort") ? self["reasoning"]?["effort"] : nil
    }
}
