extension VendorError {
    static let openAI: VendorErrorTable = { $0.ofOpenAI }

    var ofOpenAI: UpstreamError? {
        // Google has the same words for a used-up quota of a minute.
        if status == 429, names("RESOURCE_EXHAUSTED") { return ofGemini }
        if isOfCredit { return new(.outOfCredit) }
        if status == 503, words.containsAny(of: ["loading model", "is loading", "currently loading"]) {
            var error = self.error
            error.modelCooldownSeconds = Self.loadingSeconds
            return error
        }
        if status == 413, names("rate_limit_exceeded") { return new(.rateLimited, recovery: .nextCandidate) }
        guard [400, 403, 413, 422, 500].contains(status) else { return nil }
        if words.say("model is at capacity") { return new(.unavailable) }
        if isPromptTooLong { return tooLong }
        if status == 500 { return nil }
        if isFiltered { return refused("content_filter", param: nil) }
        if status == 403 { return nil }
        if names("tool_use_failed") { return new(.failed, recovery: [.retrySame, .nextCandidate]) }
        return isModelMissing ? new(.unknownModel) : nil
    }

    /// The time to wait while a self-hosted server loads its model, in seconds.
    private static let loadingSeconds = 5

    private var isFiltered: Bool {
        names("content_filter") || names("content_policy_violation") || names("moderation_blocked")
            || status == 403 && words.say("moderation")
    }

    private var isModelMissing: Bool {
        names("model_not_found") || words.containsAny(of: ["no models loaded", "not a valid model id"])
            || words.say("model") && words.containsAny(of: ["not found", "does not exist", "unknown model"])
    }
}
