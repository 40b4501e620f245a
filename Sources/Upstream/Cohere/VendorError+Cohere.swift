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

extension Refusal {
    /// Finds the quirk because of which Cohere refused a request.
    ///
    /// - Parameter known: the quirks for which the request was already changed.
    /// - Returns: the quirk; nil if no change of the request is likely to help.
    func cohereQuirk(known: LearnedQuirks) -> QuirkFinding? {
        guard status == 400 || status == 422, !isSpecial else { return nil }
        // A change that was already made does not help.
        guard let quirk = quirkOfCohere, !known.isSuperset(of: quirk) else {
            return RefusedRequest(self, known).openFinding
        }
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
        if let format = request["response_format"], words.quote("response_format") || words.quote("json") {
            return format["json_schema"] != nil ? [.noSchemas, .noObjects] : .noObjects
        }
        return nil
    }
}
