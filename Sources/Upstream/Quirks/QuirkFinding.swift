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
        /// The field is absent, or has another value than this one.
        case without(String, of: String)
        /// The field is a number above the highest accepted one.
        case above(Int, of: String)
        /// The request's header names one of these betas.
        case betas([String])
        /// The request has one of these fields, which the relay does not know.
        case fields([String])
    }

    let quirks: LearnedQuirks
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
        one.quirks == other.quirks && one.condition == other.condition && one.beside == other.beside
    }

    init(_ quirks: LearnedQuirks, when condition: Condition? = nil, isLasting: Bool = true) {
        self.quirks = quirks
        self.condition = condition
        self.isLasting = isLasting
    }

    /// The findings that are remembered one by one: one for each quirk, unless they depend on a condition together.
    var single: [QuirkFinding] {
        let conditions: [Condition]
        switch condition {
        case .betas(let names): conditions = names.map { .betas([$0]) }
        case .fields(let names): conditions = names.map { .fields([$0]) }
        default: conditions = condition.map { [$0] } ?? []
        }
        if !isUnconditional { return conditions.isEmpty ? [self] : conditions.map { alone($0) } }
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
            case .without(let value, let field): "\(field) is not \(value)"
            case .above(let most, let field): "\(field) is above \(most)"
            case .betas(let names), .fields(let names): names.joined(separator: ", ")
            }
        return [own, beside?.text].compactMap { $0 }.joined(separator: ", ")
    }

    /// Whether all requests need the change.
    var isUnconditional: Bool { condition == nil && beside == nil }

    /// The betas in the condition; empty if it is another one.
    var betas: [String] { if case .betas(let names) = condition { names } else { [] } }

    /// Whether a caller has chosen the names or values in the condition.
    var hasChosenNames: Bool {
        if beside != nil { return true }
        return switch condition {
        case .betas, .fields: true
        default: false
        }
    }

    /// Returns whether the body of a request meets the condition, so that the vendor would refuse the request.
    func concerns(_ request: RawJSON) -> Bool {
        if let beside, !beside.isIn(request) { return false }
        switch condition {
        case nil: return true
        case .otherValue(let accepted, let field):
            guard let value = request.option(field) else { return false }
            let bytes = value.content ?? value.bytes
            return !accepted.contains { Self.isEqual(bytes, $0) }
        case .without(let value, let field): return request.option(field).map { !Self.isEqual($0.bytes, value) } ?? true
        case .above(let most, let field):
            let digits = request.option(field)?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
            return Int(digits[part: 0..<min(18, digits.count)].text).map { $0 > most } ?? false
        case .fields(let names): return UnknownFields(names: names).isIn(request)
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
