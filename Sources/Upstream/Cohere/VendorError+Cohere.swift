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
            if words.say("no valid tool call") { return failureOfOutput }
            let isMissing = words.say("model") && words.containsAny(of: ["not found", "does not exist"])
            return isMissing ? new(.unknownModel) : nil
        case 498: return new(.badKey)
        case 429 where words.say("month"): return new(.outOfCredit)
        case 429 where words.say("minute") && retryAfterSeconds == nil: return new(.rateLimited, seconds: 60)
        default: return nil
        }
    }
}

extension Refusal {
    /// The findings because of which Cohere may have refused the request.
    var findingsOfCohere: [QuirkFinding] {
        guard isUnsupported else { return [] }
        if words.quote("tool_choice"), request["tool_choice"]?.content == "REQUIRED" { return [scoped(.noForcing)] }
        guard let format = request["response_format"], words.quote("response_format") || words.quote("json") else {
            return []
        }
        return [format["json_schema"] != nil ? scoped(.noSchemas, .noObjects) : scoped(.noObjects)]
    }
}
