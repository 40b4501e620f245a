/// The quirks that a vendor's response shows, and the requests for which they hold.
package struct QuirkFinding: Sendable, Equatable {
    package let quirks: [Quirk]
    /// The second field of a refused combination, without which requests need no change; nil for a single field.
    package var beside: OtherField?
    /// Whether the quirks hold for later requests, too. If false, only the refused request is changed.
    var isLasting = true
    /// Whether the quirks come from what this caller sends, so that they never change requests of others.
    package var isOfCaller = false
    /// Whether the quirks already say which combination of fields was refused.
    var isOfPair = false
    /// The vendor's words that show the quirks, for operators; empty if there are none.
    package var words = ""

    package static func == (one: QuirkFinding, other: QuirkFinding) -> Bool {
        one.quirks == other.quirks && one.beside == other.beside
    }

    package init(_ quirks: [Quirk], beside: OtherField? = nil, isLasting: Bool = true, isOfPair: Bool = false) {
        self.quirks = quirks
        self.beside = beside
        self.isLasting = isLasting
        self.isOfPair = isOfPair
    }

    /// Creates a finding of quirks that have code of their own.
    package init(_ names: QuirkName..., isLasting: Bool = true, isOfPair: Bool = false) {
        self.init(names.map { .named($0) }, isLasting: isLasting, isOfPair: isOfPair)
    }

    /// Creates a finding that fields are changed.
    package init(_ changes: [FieldChange], beside: OtherField? = nil, isLasting: Bool = true, isOfPair: Bool = false) {
        self.init(changes.map { .field($0) }, beside: beside, isLasting: isLasting, isOfPair: isOfPair)
    }

    /// The findings that are remembered one by one: one for each quirk, unless they depend on a condition together.
    package var single: [QuirkFinding] {
        if beside != nil { return [self] }
        return quirks.map { quirk in
            var single = QuirkFinding([quirk])
            (single.isOfCaller, single.words) = (isOfCaller, words)
            return single
        }
    }

    /// The finding's name for operators.
    package var name: String { quirks.map(\.name).joined(separator: ",") }

    /// The requests that need the change, in words; empty for all requests.
    var conditionText: String {
        (quirks.compactMap(\.conditionText) + [beside?.text].compactMap(\.self)).joined(separator: ", ")
    }

    /// Returns whether this finding's quirks are among those of another one.
    func isCovered(by other: QuirkFinding) -> Bool { quirks.allSatisfy(other.quirks.contains) }
}
