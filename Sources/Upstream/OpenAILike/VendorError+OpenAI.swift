import Engine

extension VendorError {
    static let openAI: VendorErrorTable = { $0.ofOpenAI }

    var ofOpenAI: UpstreamError? {
        // Google has the same words for a used-up quota of a minute.
        if status == 429, names("RESOURCE_EXHAUSTED") { return ofGemini }
        if isOfCredit { return new(.outOfCredit) }
        if let error = ofAccount { return error }
        if status == 503, words.containsAny(of: ["loading model", "is loading", "currently loading"]) {
            var error = self.error
            error.modelCooldownSeconds = Self.loadingSeconds
            return error
        }
        if status == 413, names("rate_limit_exceeded") { return new(.rateLimited, recovery: .nextCandidate) }
        guard [400, 403, 413, 422, 500].contains(status) else { return nil }
        if words.containsAny(of: ["model is at capacity", "degraded function"]) { return new(.unavailable) }
        if isPromptTooLong { return tooLong }
        if status == 500 { return words.say("image input is not supported") ? refusalOfModel : nil }
        if isFiltered { return refused("content_filter", param: nil) }
        if status == 403 { return nil }
        if isOfOutput { return failureOfOutput }
        return isModelMissing ? new(.unknownModel) : nil
    }

    /// The time to wait while a self-hosted server loads its model, in seconds.
    private static let loadingSeconds = 5

    /// The error of the key or the account, whatever the request is, that a server reports as an invalid request; nil
    /// for other errors.
    private var ofAccount: UpstreamError? {
        // LiteLLM has a code for each kind of owner.
        if [code, type].contains(where: { $0.hasSuffix("model_access_denied") }) { return deniedModel }
        guard status == 400 else { return nil }
        if names("organization_restricted") || names("FAILED_PRECONDITION") && words.say("location is not supported") {
            return new(.forbidden, seconds: Self.accountSeconds)
        }
        // The key of a tool's server is the caller's.
        let isOfKey =
            names("invalid_api_key") || reason.hasSameBytes(as: "API_KEY_INVALID")
            || !words.containsAny(of: ["tool", "mcp"]) && words.refuseKey
        return isOfKey ? new(.badKey) : nil
    }

    /// The codes of Azure and OpenAI, Alibaba, and Z.ai.
    private static let filterCodes = [
        "content_filter", "content_policy_violation", "moderation_blocked", "data_inspection_failed", "1301",
    ]

    private var isFiltered: Bool {
        // Volcengine writes the kind of input before these words.
        Self.filterCodes.contains(where: names) || [code, type].contains { $0.contains("SensitiveContentDetected") }
            || words.say("new_sensitive")
            || words.containsAny(of: Self.filters)
                && words.containsAny(of: ["blocked", "filtered", "flagged", "violat"])
            || status == 403 && words.containsAny(of: ["moderation", "violates usage guidelines"])
    }

    private static let filters: [StaticString] = [
        "content filter", "content policy", "contentpolicy", "content management policy",
    ]

    /// Whether the model's output is at fault, not the request: it does not have the form that the request demands (Groq).
    private var isOfOutput: Bool {
        names("tool_use_failed") || names("json_validate_failed") || words.say("failed_generation")
    }

    var failureOfOutput: UpstreamError { new(.failed, recovery: [.retrySame, .promptForFormat, .nextCandidate]) }

    private var isModelMissing: Bool {
        [code, type].contains(where: Self.isOfMissingModel)
            || words.containsAny(of: [
                "no models loaded", "no models are currently loaded", "not a valid model id", "model not exist",
                "invalid model name", "model identifier is invalid", "no such model", "model is not loaded",
                "failed to load model", "llm provider not provided", "model does not support chat completions api",
            ])
            || words.say("model")
                && words.containsAny(of: ["not found", "does not exist", "unknown model", "on-demand throughput"])
    }

    /// Returns whether a code says only that there is no such model: `model_not_found`, `unavailable_model`, Z.ai's, or
    /// Volcengine's (`InvalidEndpoint.ClosedEndpoint`).
    private static func isOfMissingModel(_ code: String) -> Bool {
        let words = code.split(separator: "_")
        return code.hasSameBytes(as: "1211") || code.hasPrefix("InvalidEndpoint")
            || words.count > 1 && Set(words).subtracting(missing) == ["model"]
    }

    private static let missing: Set<Substring> = [
        "not", "found", "available", "supported", "unavailable", "unsupported", "unknown", "invalid", "decommissioned",
        "deprecated", "terms", "required",
    ]
}
