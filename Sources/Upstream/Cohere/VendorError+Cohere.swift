import Calls
import Engine
import Shared

extension VendorError {
    /// A function that recognises errors of Cohere that the HTTP status alone does not identify, such as a used-up
    /// monthly quota.
    static let cohere: VendorErrorTable = { $0.ofCohere }
    fileprivate static let highBound: StaticString = "max tokens must be less than"

    private var ofCohere: UpstreamError? {
        switch status {
        case 400, 422:
            // "Too many tokens" can also mean that the request's `max_tokens` is too high.
            if words.say("too many tokens") && !words.say(Self.highBound) || isPromptTooLong { return tooLong }
            let isMissing = words.say("model") && words.containsAny(of: ["not found", "does not exist"])
            return isMissing ? new(.unknownModel) : nil
        case 498: return new(.badKey)
        case 429 where words.say("month"): return new(.outOfCredit)
        case 429 where words.say("minute") && retryAfterSeconds == nil:
            var error = new(.rateLimited)
            error.retryAfterSeconds = 60
            return error
        default: return nil
        }
    }
}

/// The quirks of Cohere's models.
extension LearnedQuirks {
    static let noThinkingOfCohere = LearnedQuirks(rawValue: 1)
    static let noStrictOfCohere = LearnedQuirks(rawValue: 2)
    static let noPenaltiesOfCohere = LearnedQuirks(rawValue: 4)
    static let noSeedOfCohere = LearnedQuirks(rawValue: 8)
    /// The quirk of a model that refuses a high `max_tokens`. The highest accepted number is the finding's condition.
    static let lowerBound = LearnedQuirks(rawValue: 16)
    static let namesOfCohere: [QuirkName] = [
        (.noThinkingOfCohere, "thinking"), (.noStrictOfCohere, "strict_tools"), (.noPenaltiesOfCohere, "penalties"),
        (.noSeedOfCohere, "seed"), (.lowerBound, "max_tokens"),
    ]
}

extension Refusal {
    /// Finds the quirk because of which Cohere refused a request.
    ///
    /// - Parameter known: the quirks for which the request was already changed.
    /// - Returns: the quirk; nil if no change of the request is likely to help.
    func cohereQuirk(known: LearnedQuirks) -> QuirkFinding? {
        guard status == 400 || status == 422, !isSpecial else { return nil }
        if !known.contains(.lowerBound), let most = words.number(behind: VendorError.highBound), most > 0 {
            let finding = QuirkFinding(.lowerBound, when: .above(most, of: "max_tokens"), isLasting: words.isComplete)
            return finding.concerns(request) ? finding : nil
        }
        // A change that was already made does not help.
        guard let quirk = quirkOfCohere, !known.isSuperset(of: quirk) else { return nil }
        let isOfValue = words.containsAny(of: [
            "between", "range", "at most", "at least", "less than", "greater than", "too long",
        ])
        return QuirkFinding(quirk, isLasting: words.isComplete && !isOfValue && !words.areAboutSchema)
    }

    private var quirkOfCohere: LearnedQuirks? {
        let isLacking = words.containsAny(of: [
            "not supported", "unsupported", "not support", "n't support", "not allowed", "not available",
            "not compatible", "unknown field", "unknown parameter",
        ])
        guard isLacking else { return nil }
        if words.quote("tool_choice"), request["tool_choice"]?.content == "REQUIRED" { return .noForcing }
        if words.quote("strict_tools"), request["strict_tools"] != nil { return .noStrictOfCohere }
        if words.quote("thinking") || words.quote("reasoning"), request["thinking"] != nil {
            return .noThinkingOfCohere
        }
        if let format = request["response_format"], words.quote("response_format") || words.quote("json") {
            return format["json_schema"] != nil ? [.noSchemas, .noObjects] : .noObjects
        }
        if words.quote("_penalty") { return .noPenaltiesOfCohere }
        return words.name("seed") && request["seed"] != nil ? .noSeedOfCohere : nil
    }
}

/// Applies quirks (changes that a model needs) to the JSON body of a request to Cohere.
struct CohereRequestRewriter {
    static func written(_ body: Body, with finding: QuirkFinding) -> Body {
        let quirks = finding.quirks
        let own: LearnedQuirks = [
            .noThinkingOfCohere, .noStrictOfCohere, .noPenaltiesOfCohere, .noSeedOfCohere, .lowerBound,
        ]
        if quirks.isDisjoint(with: own) { return body }
        var most: Int?
        if case .above(let bound, _) = finding.condition { most = bound }
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count)
        for member in RawJSON(body.bytes).members where !isLeftOut(member.name, quirks) {
            out.append(out.isEmpty ? "{" : ",")
            let given = Int(member.value.bytes[part: 0..<min(18, member.value.bytes.count)].text)
            if member.name.equals("max_tokens"), let most, let given {
                out.append(#""max_tokens":"#, decimal: min(most, given))
            } else {
                out.append(member)
            }
        }
        out.append("}")
        return Body(out)
    }

    private static func isLeftOut(_ name: UnsafeRawBufferPointer, _ quirks: LearnedQuirks) -> Bool {
        switch name {
        case "thinking": quirks.contains(.noThinkingOfCohere)
        case "strict_tools": quirks.contains(.noStrictOfCohere)
        case "presence_penalty", "frequency_penalty": quirks.contains(.noPenaltiesOfCohere)
        case "seed": quirks.contains(.noSeedOfCohere)
        default: false
        }
    }
}
