import Engine
import Shared

extension FaultReader {
    /// The change of the request after which the server may take it; nil: it refuses something that is not known to be
    /// mended.
    ///
    /// - Parameter known: changes that were made already.
    func mend(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer, of request: Body, known: Mends) -> Mends? {
        guard head.status == 400 || head.status == 422, case let fault = fault(head, body), !fault.isSpecial else {
            return nil
        }
        return Refused(fault, RawJSON(request.bytes), known).mend
    }
}

/// A refused request beside its refusal.
private struct Refused {
    private let fault: Fault
    private let request: RawJSON
    private let known: Mends
    /// In lower case.
    private let text: String
    private let isUnsupported: Bool

    private static let codes = ["unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"]
    private static let phrases = [
        "not supported", "unsupported", "not support", "n't support", "not permitted", "not allowed", "extra inputs",
        "extra fields", "unknown parameter", "unknown field", "unknown variant", "unknown name", "unrecognized",
        "unexpected", "no longer", "only the default", "not available", "cannot be used", "use 'max",
    ]

    init(_ fault: Fault, _ request: RawJSON, _ known: Mends) {
        self.fault = fault
        self.request = request
        self.known = known
        let text = fault.said.lowercased()
        self.text = text
        isUnsupported =
            Self.codes.contains { fault.names($0) } || Self.phrases.contains { text.contains($0) }
    }

    /// Beside the name of a field of the request.
    private static let plain: [(StaticString, Mends)] = [
        ("max_tokens", .newBound), ("max_completion_tokens", .oldBound), ("stream_options", .noStreamOptions),
        ("temperature", .noTemperature), ("top_p", .noTopP), ("presence_penalty", .noPresencePenalty),
        ("frequency_penalty", .noFrequencyPenalty), ("parallel_tool_calls", .noParallel), ("seed", .randomSeed),
    ]

    var mend: Mends? {
        if let mend = mendOfMessages ?? lackingAbility { return new(mend) }
        guard isUnsupported else { return nil }
        for (field, mend) in Self.plain where request[field] != nil && names(field) { return new(mend) }
        if names("strict"), request["tools"] != nil { return new(.noStrict) }
        if names("tool_choice"), request["tool_choice"]?.content == "required" { return new(.noRequired) }
        guard names("reasoning_effort"), let effort = request["reasoning_effort"]?.content else { return nil }
        return mend(ofEffort: effort)
    }

    /// One that was made already does not help.
    private func new(_ mend: Mends) -> Mends? { known.isSuperset(of: mend) ? nil : mend }

    /// The refusal names the field, by itself or in its words.
    private func names(_ field: StaticString) -> Bool {
        let name = "\(field)"
        if let param = fault.param { return param.hasSameBytes(as: name) || param.hasSuffix("." + name) }
        guard let range = text.ranges(of: name).first(where: { isWord($0) }) else { return false }
        return !range.isEmpty
    }

    private func isWord(_ range: Range<String.Index>) -> Bool {
        func isOfName(_ character: Character?) -> Bool {
            character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
        }
        let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : nil
        let after = range.upperBound < text.endIndex ? text[range.upperBound] : nil
        return !isOfName(before) && !isOfName(after)
    }

    // MARK: The effort

    /// With tools none may be wanted; else the words of the refusal tell those that there are.
    private func mend(ofEffort effort: UnsafeRawBufferPointer) -> Mends? {
        if request["tools"] != nil, text.contains("tool"), !known.contains(.effortNone), effort != "none" {
            return .effortNone
        }
        var told: Mends = []
        for (place, name) in Mends.efforts.enumerated() where !effort.equals(name) && quotes("\(name)") {
            told.insert(.effort(place))
        }
        if !told.isEmpty, known.isDisjoint(with: .allEfforts) { return told }
        return new(.noEffort)
    }

    private func quotes(_ word: String) -> Bool { text.ranges(of: word).contains { isWord($0) } }

    // MARK: Abilities

    private var lackingAbility: Mends? {
        let isSaid =
            isUnsupported || text.contains("must be") || text.contains("unavailable") || text.contains("at most 1")
        guard isSaid else { return nil }
        if request["n"] != nil, names("n") { return .noChoices }
        guard let format = request["response_format"]?["type"]?.content,
            text.contains("response_format") || text.contains("json_")
                || fault.param?.hasPrefix("response_format") ?? false
        else { return nil }
        return format == "json_object" ? .noObjects : format == "json_schema" ? .noSchemas : nil
    }

    // MARK: Messages

    private var mendOfMessages: Mends? {
        if text.contains("length of 9") { return .shortIDs }
        if text.contains("must alternate") || text.contains("should alternate") || isSystemMisplaced {
            return .mergedTurns
        }
        let messages = Array((request["messages"]?.elements).map { Array($0) } ?? [])
        if text.contains("developer"), messages.contains(where: { $0["role"]?.content == "developer" }) {
            return .noDeveloper
        }
        if isUnsupported, messages.contains(where: { $0["name"] != nil }),
            fault.param?.hasSuffix(".name") ?? names("name")
        {
            return .noNames
        }
        guard text.contains("content") || fault.param?.hasSuffix("content") ?? false else { return nil }
        let isTyped =
            text.contains("string") || text.contains("sequence") || text.contains("null") || text.contains("none")
        guard isTyped || text.contains("required") || text.contains("missing") else { return nil }
        if messages.contains(where: { $0["content"]?.isNull ?? true }), !known.contains(.emptyContent) {
            return .emptyContent
        }
        return messages.contains { $0["content"]?.isArray ?? false } ? .joinedContent : nil
    }

    private var isSystemMisplaced: Bool {
        text.contains("system message must be") && (text.contains("beginning") || text.contains("first"))
    }
}
