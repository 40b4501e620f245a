import Calls
import Engine

/// A refused request together with its error response, from which a quirk of the server is learned.
struct RefusedRequest {
    let vendorError: VendorError
    let request: RawJSON
    let known: LearnedQuirks
    let words: RefusalWords
    let isUnsupported: Bool

    private static let codes = ["unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"]
    private static let phrases: [StaticString] = [
        "not supported", "not currently supported", "not yet supported", "unsupported", "not support", "n't support",
        "not permitted", "not allowed", "only allowed", "extra inputs",
        "extra fields", "unknown parameter", "unknown field", "unknown variant", "unknown name", "unrecognized",
        "unexpected", "no longer", "only the default", "not available", "cannot be used",
        // Cloudflare's spelling of "unsupported".
        "n't suuport", "deprecated", "unknown argument", "cannot find field",
    ]

    /// - Parameters:
    ///   - refusal: must stay alive as long as this value is used.
    ///   - known: the quirks for which the refused request was already changed.
    init(_ refusal: Refusal, _ known: LearnedQuirks) {
        vendorError = refusal.vendorError
        request = refusal.request
        words = refusal.words
        self.known = known
        let (vendorError, words) = (vendorError, words)
        isUnsupported =
            Self.codes.contains { vendorError.names($0) } || words.containsAny(of: Self.phrases)
            || words.quote("use \u{1}'max")
    }

    // MARK: For which requests a quirk holds

    /// Returns a quirk with the requests for which it holds.
    ///
    /// - Parameter field: the field that the quirk changes; nil if the quirk itself says which requests it changes.
    func scoped(_ quirk: LearnedQuirks, to field: String? = nil) -> QuirkFinding {
        var finding = QuirkFinding(quirk, isLasting: words.isComplete && !isOfSchema)
        guard let field else { return finding }
        let hasOption = request.option(field) != nil
        if hasOption, words.say("only the default") {
            let value = words.number(behind: "only the default")
            finding.condition = value.map { .otherValue(than: ["\($0)"], of: field) }
        } else if hasOption, let accepted = acceptedValues {
            finding.condition = .otherValue(than: accepted, of: field)
        } else if !Self.codesOfFields.contains(where: { vendorError.names($0) }), isOfValue(field) {
            finding.isLasting = false
        }
        return finding
    }

    /// The codes of refusals that hold for all values of a field.
    private static let codesOfFields = ["unsupported_parameter", "unknown_parameter", "extra_forbidden"]

    /// The values that the error lists as supported; nil if it lists none.
    private var acceptedValues: [String]? {
        for phrase in ["supported values", "one of", "allowed values", "supported options"] as [StaticString] {
            let names = words.names(behind: phrase)
            if !names.isEmpty { return names }
        }
        return nil
    }

    /// Whether the error is about the form of a schema, not about schemas.
    private var isOfSchema: Bool {
        vendorError.names("invalid_json_schema") || words.areAboutSchema
            || vendorError.param.map { PhraseMatcher($0).say("schema.") } ?? false
    }

    /// Returns whether the error refuses this value of the field, so that it may accept other values.
    private func isOfValue(_ field: String) -> Bool {
        if vendorError.names("unsupported_value") || vendorError.names("invalid_value") { return true }
        return words.containsAny(of: Self.bounds) || words.nameOnlyPart(of: field)
            || request.option(field).map { words.repeats($0) } ?? false
    }

    static let bounds: [StaticString] = [
        "between", "at least", "at most", "less than", "greater than", "maximum", "minimum", "range", "exceed",
        "too long", "too short", "too large", "too small", "length", "characters", "pattern", "match", "<", ">",
    ]

    // MARK: Fields

    /// Returns the quirk; nil if the request was already changed for it.
    func new(_ quirk: LearnedQuirks) -> LearnedQuirks? { known.isSuperset(of: quirk) ? nil : quirk }

    /// Returns whether the error names the field, in its `param` or in its message.
    func names(_ field: StaticString) -> Bool {
        if let param = vendorError.param {
            return isLast(field, of: param) || vendorError.otherParams.contains { isLast(field, of: $0) }
        }
        return words.name(field)
    }

    /// Returns whether a path ends with the field: `messages[0].name` ends with `name`.
    func isLast(_ field: StaticString, of param: String) -> Bool {
        let last = param.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).last
        return last.map { Array($0).withUnsafeBytes { $0.equals(field) } } ?? false
    }
}
