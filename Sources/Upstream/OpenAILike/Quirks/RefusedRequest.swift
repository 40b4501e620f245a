import Calls
import Engine

extension Refusal {
    /// Returns the quirk of a server with OpenAI's API that the refusal shows; nil if there is no new quirk.
    ///
    /// - Parameter known: the quirks for which the refused request was already changed.
    func quirk(known: LearnedQuirks) -> QuirkFinding? {
        guard [400, 422, 500].contains(status), !isSpecial else { return nil }
        let refused = RefusedRequest(self, known)
        // Some servers report an error of the model's chat template with status 500.
        return status == 500 ? refused.quirkOfTurns.map { refused.ofMessages($0) } : refused.finding
    }
}

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
        "not permitted", "not allowed", "extra inputs",
        "extra fields", "unknown parameter", "unknown field", "unknown variant", "unknown name", "unrecognized",
        "unexpected", "no longer", "only the default", "not available", "cannot be used",
        // Cloudflare's spelling of "unsupported".
        "n't suuport",
    ]

    private static let lengths: [StaticString] = [
        "too long", "maximum length", "max length", "length must", "at most", "longer than", "exceed", "64", "pattern",
        "characters",
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

    /// The quirk for each field that an error may name as unsupported.
    private static let plain: [(StaticString, LearnedQuirks)] = [
        ("max_tokens", .newBound), ("max_completion_tokens", .oldBound), ("stream_options", .noStreamOptions),
        ("temperature", .noTemperature), ("top_p", .noTopP), ("presence_penalty", .noPresencePenalty),
        ("frequency_penalty", .noFrequencyPenalty), ("parallel_tool_calls", .noParallel), ("seed", .randomSeed),
    ]

    /// The quirk that the refusal shows, and whether it holds for later requests; nil if there is no new quirk.
    var finding: QuirkFinding? {
        if lacksAddresses { return new(.noAddresses).map { scoped($0) } }
        if words.quote("name"), words.containsAny(of: Self.lengths), ToolNameShortener.finds(in: request) {
            return new(.shortNames).map { scoped($0) }
        }
        if let quirk = quirkOfMessages { return new(quirk).map { ofMessages($0) } }
        if let finding = lackingAbility { return new(finding.quirks) == nil ? nil : finding }
        if request["tools"] != nil || request["functions"] != nil, lacksTools {
            return new(.noTools).map { scoped($0) }
        }
        guard isUnsupported || words.say("only allowed when") else { return findingOfEffort }
        if isUnsupported {
            for (field, quirk) in Self.plain where request[field] != nil && names(field) {
                return new(quirk).map { scoped($0, to: field) }
            }
        }
        if let spare = findingOfSpareFields { return spare }
        guard isUnsupported else { return findingOfEffort }
        if names("strict"), request["tools"] != nil { return new(.noStrict).map { scoped($0, to: "strict") } }
        if names("tool_choice"), request["tool_choice"]?.content == "required" {
            return new(.noRequired).map { scoped($0) }
        }
        return findingOfEffort
    }

    // MARK: For which requests a quirk holds

    /// Returns a quirk of the form of messages. It changes only messages of that form, whatever the other fields are.
    func ofMessages(_ quirk: LearnedQuirks) -> QuirkFinding {
        var finding = scoped(quirk, to: quirk == .noNames ? "name" : nil)
        finding.isOfPair = true
        return finding
    }

    /// Returns a quirk with the requests for which it holds.
    ///
    /// - Parameter field: the field that the quirk changes; nil if the quirk itself says which requests it changes.
    func scoped(_ quirk: LearnedQuirks, to field: StaticString? = nil) -> QuirkFinding {
        var finding = QuirkFinding(quirk, isLasting: words.isComplete && !isOfSchema)
        guard let field else { return finding }
        let hasOption = request.option("\(field)") != nil
        if hasOption, words.say("only the default") {
            let value = words.number(behind: "only the default")
            finding.condition = value.map { .otherValue(than: ["\($0)"], of: "\(field)") }
        } else if hasOption, let accepted = acceptedValues {
            finding.condition = .otherValue(than: accepted, of: "\(field)")
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
    private func isOfValue(_ field: StaticString) -> Bool {
        if vendorError.names("unsupported_value") || vendorError.names("invalid_value") { return true }
        return words.containsAny(of: Self.bounds) || words.nameOnlyPart(of: field)
            || request.option("\(field)").map { words.repeats($0) } ?? false
    }

    static let bounds: [StaticString] = [
        "between", "at least", "at most", "less than", "greater than", "maximum", "minimum", "range", "exceed",
        "too long", "too short", "too large", "too small", "length", "characters", "pattern", "match", "<", ">",
    ]

    // MARK: Fields

    /// The finding for all fields in `LearnedQuirks.spareFields` that the error names and the request contains.
    private var findingOfSpareFields: QuirkFinding? {
        // The word "user" may also mean the role of a message.
        guard vendorError.param != nil || !words.say("role") else { return nil }
        var quirks: LearnedQuirks = []
        var named: StaticString?
        for (position, field) in LearnedQuirks.spareFields.enumerated() where names(field) {
            guard request[field] != nil || request["text"]?[field] != nil else { continue }
            quirks.insert(.spare(position))
            named = named ?? field
        }
        guard let named, let quirks = new(quirks) else { return nil }
        var finding = scoped(quirks, to: named)
        if words.say("only allowed when"), names("store") || words.name("store") {
            finding.condition = .without("true", of: "store")
            finding.isOfPair = true
        }
        return finding
    }

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
