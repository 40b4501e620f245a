import Engine
import Limits
package import Shared

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

/// The quirks that one chat call has met itself, and the caller for whom quirks are remembered.
package struct CallQuirks: Sendable {
    package enum Owner: Hashable, Sendable {
        /// No caller. Nothing is remembered.
        case none
        /// A caller with a token that the settings declare, as a part of the digest of its identity.
        case known(UInt64)
        /// All callers without a key together.
        case anonymous
        /// A caller with a vendor's key of its own, as a part of the digest of its identity.
        case passThrough(UInt64)

        /// Makes the owner of a caller's calls. Tokens of one `KEY_<NAME>` are one owner, because the operator did not
        /// set them apart, and so are the keys of one group (the first of several) or family. No other code decides which
        /// callers count as one.
        package init(_ caller: Caller?) {
            switch (caller?.kind, caller?.identity) {
            case (.known?, let identity?):
                self = .known((caller?.key?.voice ?? identity).digest.words.0)
            case (.passThrough?, let identity?): self = .passThrough(identity.digest.words.0)
            case (.anonymous?, _): self = .anonymous
            default: self = .none
            }
        }

        /// The number that differs between callers of one memory; 0 for owners with a memory of their own.
        package var voice: UInt64 { if case .known(let caller) = self { caller } else { 0 } }
    }

    package var owner = Owner.none
    /// Whether the call belongs to the session of an agent.
    package var isOfSession = false
    /// The quirks that the vendor's responses to this call have shown. Those that hold for later calls are remembered
    /// after the call has succeeded.
    package var learned: [QuirkFinding] = []
    /// The remembered quirks that this call ignores, to find out whether they still hold.
    package var tried: [QuirkFinding] = []
}
