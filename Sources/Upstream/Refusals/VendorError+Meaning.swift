import Engine
import Shared

/// The meaning of a vendor's error, by its status, its code and its words.
extension VendorError {
    /// The HTTP status that fits the error code, for an error in a response whose own status is a success.
    var statusOfCode: Int {
        if let number = Int(code), (400..<600).contains(number) { return number }
        for word in [code, type] {
            switch word {
            case "insufficient_quota", "rate_limit_exceeded", "rate_limit_error", "slow_down", "too_many_requests",
                "RateLimitReached", "Throttling.RateQuota":
                return 429
            case "invalid_api_key", "authentication_error": return 401
            case "billing_error": return 402
            case "permission_denied", "permission_error": return 403
            case "model_not_found", "DeploymentNotFound", "not_found_error": return 404
            case "invalid_request_error", "context_length_exceeded", "content_filter", "invalid_prompt",
                "content_policy_violation", "moderation_blocked", "image_generation_user_error":
                return 400
            case _ where APIError.codesOfImages.contains(word): return 400
            case "request_too_large": return 413
            case "overloaded_error": return 529
            case "server_is_overloaded", "unavailable_error", "service_unavailable": return 503
            case "timeout", "timeout_error", "upstream_timeout": return 504
            default: continue
            }
        }
        return 502
    }

    /// Whether a response without output reports a failure. Some servers report a code and words of success, too.
    var isFailure: Bool {
        if let number = Int(code), [0, 20_000].contains(number) || number / 100 == 2 { return false }
        if ["ok", "success"].contains(code.lowercased()) { return false }
        return !code.isEmpty || !said.isEmpty
    }

    /// The error for this HTTP status, if the vendor's error table does not recognise the error.
    var error: UpstreamError {
        switch status {
        case 400, 422: return refusal
        case 401: return new(.badKey)
        case 402 where words.say("prompt tokens limit exceeded"):
            // The account can pay for shorter prompts (OpenRouter).
            var error = refused("insufficient_quota", param: "messages")
            error.recovery = [.nextKey, .nextCandidate]
            return error
        case 402: return new(.outOfCredit)
        case 403: return isOfModel ? deniedModel : new(.forbidden)
        // OpenRouter's word for a model that none of its servers has, or none with an ability.
        case 404 where words.say("no endpoints found that support"): return refusalOfModel
        case 404 where words.say("no endpoints found"): return new(.unknownModel)
        // OpenAI's words for an item, a response or a file of the request that it does not keep.
        case 404
        where names("invalid_request_error") && !isOfModel && words.containsAny(of: ["with id", "no such file"]):
            return refusal
        // NVIDIA calls a model a function.
        case 404 where isOfModel || words.say("not found for account"): return new(.unknownModel)
        // A model at its end of life.
        case 410 where isOfModel: return new(.unknownModel)
        case 408, 504: return new(.timedOut, recovery: .nextCandidate)
        case 409, 425: return new(.failed, recovery: [.retrySame, .nextCandidate])
        case 413: return tooLarge
        case 429: return new(.rateLimited)
        case 503, 529: return new(.unavailable)
        case 406: return new(.failed, recovery: .nextCandidate)
        case 415, 431: return refusal
        // Servers in front of others report their refusals with other statuses.
        default: return new(words.containsAny(of: Self.rateWords) ? .rateLimited : .failed)
        }
    }

    private static let rateWords: [StaticString] = ["rate limit", "too many requests", "速率限制", "过于频繁", "限流"]

    /// The error for a model that the account may not call. Its key serves other models.
    var deniedModel: UpstreamError {
        var error = new(.forbidden, recovery: .nextCandidate)
        error.isOfModel = true
        return error
    }

    /// The cooldown in seconds after an error that only a person can correct in the account.
    static let accountSeconds = 3_600

    var isOfModel: Bool { names("model_not_found") || names("DeploymentNotFound") || words.say("model") }

    /// Whether the vendor refused the request because the prompt does not fit the model's context window.
    var isPromptTooLong: Bool { Self.contextCodes.contains(where: names) || words.saysPromptTooLong }

    /// Whether the words say of a field of chats that it is not supported.
    var isOfUnsupportedField: Bool {
        words.say("not support") && FieldNames.ofChats.contains { "\($0)" != "model" && words.name($0) }
    }

    /// Whether the account has no money left.
    var isOfCredit: Bool {
        guard status >= 400 else { return false }
        if [code, type].contains(where: Self.isOfCredit) || words.containsAny(of: Self.creditWords) { return true }
        // An invalid request may have such words in a field or a tool.
        return status != 400 && status != 422 && words.saysCreditIsSpent
    }

    private static func isOfCredit(_ code: String) -> Bool {
        let plain = code.lowercased()
        return ofCredit.contains { plain.contains($0) } || ["1113", "blocked_api_access"].contains(plain)
    }

    /// The parts of codes for an account without money: `insufficient_quota`, `billing_hard_limit_reached`,
    /// `organization_usage_limit_exceeded`, `Arrearage`. Two further codes are Z.ai's and Groq's.
    private static let ofCredit = [
        "insufficient_quota", "user_quota", "quota_error", "insufficient_balance", "billing", "credit",
        "spend_limit_exceeded", "usage_limit_exceeded", "arrear", "overdue", "budget_exceeded",
    ]
    /// The words of Alibaba (three), OpenRouter, DeepSeek, Z.ai, and Anthropic, which come with any status.
    private static let creditWords: [StaticString] = [
        "account is in good standing", "overdue account", "欠费", "key limit exceeded", "insufficient balance", "余额不足",
        "credit balance is too low",
    ]

    private static let contextCodes = [
        APIError.contextLengthCode, "exceed_context_size_error", "model_context_window_exceeded",
        "model_max_prompt_tokens_exceeded", "tokens_limit_reached",
    ]

    func names(_ word: String) -> Bool { code.hasSameBytes(as: word) || type.hasSameBytes(as: word) }

    // MARK: The error

    private var cause: String {
        let reported = [code, type].first { Self.isPlain($0) }
        return "the vendor answered \(status)\(reported.map { " \($0)" } ?? "")"
    }

    /// Returns whether a vendor's error code consists of lower-case letters, digits and `_` only, and begins with a
    /// letter.
    private static func isPlain(_ word: String) -> Bool {
        (1...64).contains(word.utf8.count) && word.utf8.first.map { (97...122).contains($0) } ?? false
            && word.utf8.allSatisfy { (97...122).contains($0) || $0.isDigit || $0 == UInt8(ascii: "_") }
    }

    func new(_ kind: UpstreamError.Kind, recovery: UpstreamError.RecoveryOptions? = nil) -> UpstreamError {
        var error = UpstreamError(kind, cause: cause)
        if let recovery { error.recovery = recovery }
        error.retryAfterSeconds = retryAfterSeconds ?? (kind == .rateLimited ? words.secondsToWait : nil)
        return error
    }

    /// Returns an error with this cooldown in seconds, whatever wait the vendor demands; nil for the usual cooldown.
    func new(_ kind: UpstreamError.Kind, seconds: Int?) -> UpstreamError {
        var error = new(kind)
        error.retryAfterSeconds = seconds
        return error
    }

    var refusal: UpstreamError {
        var error = UpstreamError(.badRequest, message: UpstreamError.words(of: said), cause: cause)
        // The type `invalid_request_error` is left out, as all such errors have it.
        error.code = [code, type].first { Self.isPlain($0) && !$0.hasSameBytes(as: "invalid_request_error") }
        error.param = param.flatMap { Self.isPath($0) && UpstreamError.words(of: $0) == $0 ? $0 : nil }
        return error
    }

    /// The error for a request that another model may accept.
    var refusalOfModel: UpstreamError {
        var error = refusal
        error.recovery = .nextCandidate
        return error
    }

    /// The error for a prompt that does not fit the model's context window.
    var tooLong: UpstreamError { refused(APIError.contextLengthCode, param: "messages") }

    func refused(_ code: String, param: String?) -> UpstreamError {
        var error = refusal
        error.code = code
        error.param = param
        return error
    }

    private var tooLarge: UpstreamError {
        var error = UpstreamError(.badRequest, cause: cause)
        var refusal = APIError.tooLargeForProvider
        let words = UpstreamError.words(of: said)
        if !words.isEmpty { refusal.message = "\(refusal.message.dropLast()): \(words)" }
        error.refusal = refusal
        return error
    }

    private static func isPath(_ param: String) -> Bool {
        (1...100).contains(param.utf8.count) && param.utf8.allSatisfy { $0.isLetterOrDigit(or: ".[]_") }
    }
}

extension APIError {
    static var tooLargeForProvider: APIError {
        APIError(413, "The provider rejected the request because it is too large.", code: "request_too_large")
    }
}
