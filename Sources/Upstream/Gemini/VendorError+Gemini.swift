import Engine
import Glibc
import Shared

extension VendorError {
    /// A function that recognises errors of Google's servers that the HTTP status alone does not identify.
    static let gemini: VendorErrorTable = { $0.ofGemini }

    var ofGemini: UpstreamError? {
        switch status {
        case 400 where reason.hasSameBytes(as: "API_KEY_INVALID") || words.refuseKey: return new(.badKey)
        case 400 where names("FAILED_PRECONDITION"), 403 where isOfAccount:
            return new(.forbidden, seconds: Self.accountSeconds)
        case 400 where isPromptTooLong: return tooLong
        case 404 where names("NOT_FOUND"): return new(.unknownModel)
        case 429 where words.say("credits are depleted"): return new(.outOfCredit)
        case 429 where isOfDay:
            return new(.outOfCredit, seconds: Self.secondsToPacificMidnight(at: Int(Glibc.time(nil))))
        default: return nil
        }
    }

    private var isOfAccount: Bool { reason.hasSameBytes(as: "SERVICE_DISABLED") || words.say("leaked") }

    private var isOfDay: Bool { PhraseMatcher(quota).say("perday") || words.say("limit: 0") }

    /// Returns the seconds until midnight in California, when Google resets its daily quotas.
    /// - Parameter now: the current time in seconds since 1970.
    static func secondsToPacificMidnight(at now: Int) -> Int {
        // The date is precise enough: it may be wrong only near the hour at which the clocks change.
        secondsToMidnight(at: now - (isSummer(at: now) ? 7 : 8) * 3_600)
    }

    /// Whether daylight saving time applies in California.
    private static func isSummer(at now: Int) -> Bool {
        var seconds = time_t(now - 8 * 3_600)
        var date = tm()
        guard gmtime_r(&seconds, &date) != nil else { return false }
        let (month, day, weekday) = (Int(date.tm_mon), Int(date.tm_mday), Int(date.tm_wday))
        switch month {
        case 3...9: return true
        case 2: return day - weekday >= 8
        case 10: return day - weekday <= 0
        default: return false
        }
    }
}

extension Refusal {
    /// The findings because of which Google may have refused the request.
    var findingsOfGemini: [QuirkFinding] {
        if let signatures = findingOfSignatures { return [signatures] }
        if words.say("penalty is not enabled") { return Self.dropping("presencePenalty", "frequencyPenalty") }
        if request["systemInstruction"] != nil, refusesInstructions { return [scoped(.noInstructions)] }
        let settings = request["generationConfig"]
        if let usual = usualMode { return [usual] }
        if words.quote("thinking"), settings?["thinkingConfig"] != nil { return Self.dropping("thinkingConfig") }
        let current = "tools.functionDeclarations.parametersJsonSchema"
        if isUnsupported, words.quote("parametersjsonschema"), FieldChange(current).concerns(request) {
            // Older versions have OpenAPI's schemas only.
            return [QuirkFinding([FieldChange(current, .plain), FieldChange(current, .rename("parameters"))])]
        }
        let isOfTool = words.quoteAny(of: ["function_declaration", "functiondeclaration", "function declaration"])
        let schemas = ["tools.functionDeclarations.parameters", current]
        if isOfTool || words.quote("parameters"), let plain = findingOfSchemas(.plain, at: schemas) { return [plain] }
        guard isUnsupported || words.say("too many states"), settings?["responseMimeType"] != nil else { return [] }
        let isForm = words.quoteAny(of: [
            "json mode", "response mime type", "response_mime_type", "responsemimetype", "responsejsonschema",
            "response_json_schema", "response_schema", "responseschema", "too many states",
        ])
        let hasSchema = settings?["responseJsonSchema"] != nil || settings?["responseSchema"] != nil
        return !isForm ? [] : [hasSchema ? scoped(.noSchemas, .noObjects) : scoped(.noObjects)]
    }

    /// The finding that signatures of reasoning are refused: one that Google does not check takes their place, or none if
    /// that does not help.
    private var findingOfSignatures: QuirkFinding? {
        guard words.quoteAny(of: ["thought_signature", "thoughtsignature", "thought signature"]) else { return nil }
        let drop = FieldChange("contents.parts.thoughtSignature")
        let isUnknown = words.say("unknown name") || known.contains(.anySignature) && !words.say("missing")
        return isUnknown && drop.concerns(request) ? QuirkFinding([drop]) : scoped(.anySignature)
    }

    private var refusesInstructions: Bool {
        let isRefused = isUnsupported || words.say("is not enabled")
        return isRefused
            && words.quoteAny(of: [
                "developer instruction", "system instruction", "system_instruction", "systeminstruction",
            ])
    }

    /// The finding that the mode is refused in which Google checks the arguments of calls, which the relay does itself.
    private var usualMode: QuirkFinding? {
        let usual = FieldChange.Kind.replace("VALIDATED", by: #""AUTO""#)
        let mode = FieldChange("toolConfig.functionCallingConfig.mode", usual)
        let isNamed = words.quoteAny(of: ["function_calling_config", "functioncallingconfig"])
        return isNamed && mode.concerns(request) ? QuirkFinding([mode]) : nil
    }

    private static func dropping(_ names: String...) -> [QuirkFinding] {
        [QuirkFinding(names.map { FieldChange("generationConfig.\($0)") })]
    }
}
