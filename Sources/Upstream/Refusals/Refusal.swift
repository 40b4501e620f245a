import Engine

/// A vendor's refusal of a request, from which a quirk of the server is learned.
final class Refusal {
    let vendorError: VendorError
    /// Whether the vendor's error table recognises the error.
    let isSpecial: Bool
    /// The error for the client if the request is not repeated.
    let error: UpstreamError
    /// The quirks for which the refused request was already changed.
    let known: Set<Quirk>
    private let body: Body
    /// The words of the error's message. The whole request is compared with them.
    private(set) lazy var words = RefusalWords(vendorError.wording, of: body.bytes)
    /// The words that concern a combination of fields. Valid as long as this object.
    private(set) lazy var combination = RefusedCombination(words, of: request)
    /// Whether none of a gateway's servers has an ability that the request needs (OpenRouter).
    private(set) lazy var isOfRouting = status == 404 && words.say("no endpoints found that support")
    /// Whether the error says that something is not supported.
    private(set) lazy var isUnsupported =
        vendorError.names("unsupported_value") || isOfUnknown || words.containsAny(of: Self.phrases)
        || isOfRouting || words.quote("use 'max") || words.onlyValue != nil
        // Another value of a hint is an error of the client's, unless it is that of images, which has new values.
        || vendorError.names("invalid_value") && params.contains { isLast("detail", of: $0) }

    private static let phrases: [StaticString] = [
        "not currently supported", "not yet supported", "unsupported", "not support", "n't support",
        "not permitted", "not allowed", "only allowed", "only supported", "only available", "unknown variant",
        "unrecognized", "unexpected", "no longer", "only the default", "not available", "cannot be used",
        // Cloudflare's spelling of "unsupported".
        "n't suuport", "deprecated", "not compatible", "incompatible", "may not be", "may only be",
        "must be removed", "not enabled", "enabled only", "不支持", "(allowed:", "or unset", "mutually exclusive",
        "cannot be combined", "cannot use", "not both",
    ]

    /// Whether the error says that the server does not know a field, whatever its value is.
    var isOfUnknown: Bool {
        ["unsupported_parameter", "unknown_parameter", "extra_forbidden"].contains { vendorError.names($0) }
            || words.containsAny(of: Self.unknown)
    }

    private static let unknown: [StaticString] = [
        "extra inputs", "extra fields", "unknown parameter", "unknown field", "unknown name", "unknown argument",
        "unrecognized field", "unrecognized key", "unrecognized request argument", "cannot find field",
        "keyword argument", "properties are not allowed (", "not support parameters", "unsupport param",
        "should not exist", "unknown key", "unpermitted param", "the schema does not allow additional",
        "could not be mapped to any .net member",
    ]

    init(
        vendorError: VendorError,
        isSpecial: Bool,
        error: UpstreamError,
        request: Body,
        known: Set<Quirk>
    ) {
        self.vendorError = vendorError
        self.isSpecial = isSpecial
        self.error = error
        self.known = known
        body = request
    }

    var status: Int { vendorError.status }

    /// The refused request. It is valid as long as this object.
    var request: RawJSON { RawJSON(body.bytes) }

    // MARK: For which requests a quirk holds

    /// Returns the finding of quirks, which hold for later requests unless they are about this request's schema. That a
    /// schema could not be compiled holds for this caller's requests with the same tools or format with a schema.
    func scoped(_ quirks: QuirkName...) -> QuirkFinding {
        var finding = QuirkFinding(quirks.map { .named($0) }, isLasting: !isOfSchema)
        let paths = quirks == [.noTools] ? ["tools", "functions"] : ["response_format", "text.format"]
        if words.areAboutCompiling, let path = paths.first(where: { request.value(at: $0) != nil }),
            request.value(at: path)?["type"]?.content != "json_object"
        {
            finding.beside = OtherField(path, sameAsIn: request)
            (finding.isLasting, finding.isOfCaller) = (true, true)
        }
        return finding
    }

    /// Returns the finding that fields are changed. A field with a value that the error accepts is not left out. If the
    /// error is about this value of the first field, the finding does not hold for later requests.
    func finding(_ kind: FieldChange.Kind, at paths: [[String]]) -> QuirkFinding {
        let first = paths[0]
        let value = request.value(at: first)
        var (kind, isOfOthers) = (kind, false)
        if isOfUnknown {
            isOfOthers = words.named.nameOnlyPart(of: first[first.count - 1])
        } else if kind == .drop, value != nil || first.count > 2, let accepted = acceptedValues {
            if !accepted.isEmpty { kind = .dropUnless(accepted) }
        } else {
            isOfOthers = isOfValue(first[first.count - 1], value)
        }
        return QuirkFinding(paths.map { FieldChange(path: $0, kind: kind) }, isLasting: !isOfSchema && !isOfOthers)
    }

    /// Returns the finding that the schemas at these paths are refused; nil if the change alters none of them. It is
    /// remembered for the caller, who sends the schemas again.
    /// - Parameter others: the fields that are left out, too.
    func findingOfSchemas(
        _ kind: FieldChange.Kind,
        at paths: [String],
        dropping others: [String] = []
    ) -> QuirkFinding? {
        let changes = paths.map { FieldChange($0, kind) } + others.map { FieldChange($0) }
        var finding = QuirkFinding(changes.filter { $0.concerns(request) })
        finding.isOfCaller = true
        return finding.quirks.isEmpty ? nil : finding
    }

    /// The values that the error lists as supported; nil if it lists none, empty if it has the default without a value.
    private var acceptedValues: [String]? {
        if words.say("only the default") {
            return words.prose.number(behind: "only the default").map { ["\($0)"] } ?? []
        }
        if let value = words.onlyValue, Double(value) != nil { return [value] }
        for phrase in ["supported values", "one of", "allowed values", "supported options"] as [StaticString] {
            let names = words.named.names(behind: phrase)
            if !names.isEmpty { return names }
        }
        return nil
    }

    /// Whether the error is about the form of a schema, not about schemas.
    var isOfSchema: Bool {
        vendorError.names("invalid_json_schema") || words.areAboutSchema
            || vendorError.param.map { PhraseMatcher($0).say("schema.") } ?? false
    }

    /// Returns whether the error refuses this value of the field, so that it may accept other values.
    private func isOfValue(_ field: String, _ value: RawJSON?) -> Bool {
        if vendorError.names("unsupported_value") || vendorError.names("invalid_value") { return true }
        return namesBounds || words.named.nameOnlyPart(of: field)
            || value.map { words.repeats($0, of: field) } ?? false
    }

    /// Whether the error says which values the server takes.
    private var namesBounds: Bool { hasWordsOfBounds || words.say("(allowed:") }

    private(set) lazy var hasWordsOfBounds = words.containsAny(of: Self.bounds)

    private static let bounds: [StaticString] = [
        "between", "at least", "at most", "less than", "greater than", "maximum", "minimum", "range", "exceed",
        "too long", "too short", "too large", "too small", "length", "characters", "pattern", "match", "<", ">",
    ]

    /// Returns whether a change did not help, because the vendor still refuses the field that was left out, or because
    /// the next change replaces this one.
    func persists(after finding: QuirkFinding, before next: QuirkFinding) -> Bool {
        let changes = finding.changes
        guard !changes.isEmpty else { return false }
        return changes.allSatisfy { $0.kind == .drop && isNamed($0.path) }
            || next.isLasting && changes.allSatisfy { next.changes.map(\.path).contains($0.path) }
    }

    // MARK: Fields

    /// Returns the finding; nil if the request was already changed for it.
    func new(_ finding: QuirkFinding) -> QuirkFinding? {
        let isNew = finding.changes.isEmpty ? !known.isSuperset(of: finding.quirks) : finding.concerns(request)
        return isNew ? finding : nil
    }

    func new(_ quirk: QuirkName) -> QuirkFinding? { new(scoped(quirk)) }

    /// The names in the error's `param` and details; none if no field of the request is among them, so that the words
    /// count.
    private(set) lazy var params: [String] = {
        let all = vendorError.param.map { [$0] + vendorError.otherParams } ?? []
        let fields = request.fieldPaths
        let isOfRequest = all.lazy.map { RefusalWords.FieldName($0) }
            .contains { name in
                fields.contains { name.names($0) || $0.count == 1 && $0.first == name.parts.first }
            }
        return isOfRequest ? all : []
    }()

    /// Returns whether the error names the field, in its `param` or in its message.
    func names(_ field: StaticString) -> Bool {
        if !params.isEmpty { return params.contains { isLast(field, of: $0) } }
        return words.name(field) || words.fieldNames.contains { $0.names(["\(field)"]) }
    }

    /// Returns whether a path ends with the field: `messages[0].name` ends with `name`.
    func isLast(_ field: StaticString, of param: String) -> Bool {
        "\(field)".hasSameBytes(as: param.split(separator: ".", omittingEmptySubsequences: false).last ?? "")
    }

    /// Returns the first finding that changes the request further: one of a vendor's own, or the one of the open rule.
    /// - Parameter own: the vendor's own findings, the likeliest one first.
    func finding(among own: @autoclosure () -> [QuirkFinding]) -> QuirkFinding? {
        guard status == 400 || status == 422, !isSpecial else { return nil }
        if let stray = findingOfStrayMembers { return stray }
        guard var found = own().lazy.compactMap(new).first else { return openFinding }
        // Refused schemas are remembered for their caller. A range or a length says nothing about later requests, but for a
        // value that takes the place of another one of a list.
        let isOfBounds = hasWordsOfBounds || namesBounds && found.changes.contains { $0.kind == .drop }
        if !found.isOfCaller, isOfSchema || isOfBounds { found.isLasting = false }
        return found
    }
}
