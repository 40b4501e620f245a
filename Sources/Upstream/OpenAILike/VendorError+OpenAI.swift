import Calls

extension VendorError {
    static let openAI: VendorErrorTable = { $0.ofOpenAI }

    var ofOpenAI: UpstreamError? {
        if isOfCredit { return new(.outOfCredit) }
        if status == 503, words.containsAny(of: ["loading model", "is loading", "currently loading"]) {
            var error = self.error
            error.modelCooldownSeconds = Self.loadingSeconds
            return error
        }
        if status == 413, names("rate_limit_exceeded") { return new(.rateLimited, recovery: .nextCandidate) }
        guard [400, 403, 413, 422, 500].contains(status) else { return nil }
        if isPromptTooLong { return tooLong }
        if status == 500 { return nil }
        if isFiltered { return refused("content_filter", param: nil) }
        if status == 403 { return nil }
        if names("tool_use_failed") { return new(.failed, recovery: [.retrySame, .nextCandidate]) }
        return isModelMissing ? new(.unknownModel) : nil
    }

    /// The time to wait while a self-hosted server loads its model, in seconds.
    private static let loadingSeconds = 5

    private static let creditCodes = [
        "insufficient_quota", "billing_hard_limit_reached", "credit_balance_exhausted",
        "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
    ]

    private var isOfCredit: Bool {
        guard status >= 400 else { return false }
        return Self.creditCodes.contains(where: names) || words.say("exceeded your current quota")
    }

    private var isFiltered: Bool {
        names("content_filter") || names("content_policy_violation") || names("moderation_blocked")
            || status == 403 && words.say("moderation")
    }

    private var isModelMissing: Bool {
        names("model_not_found") || words.containsAny(of: ["no models loaded", "not a valid model id"])
            || words.say("model") && words.containsAny(of: ["not found", "does not exist", "unknown model"])
    }
}
