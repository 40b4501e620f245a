import Engine
package import Shared

extension APIError {
    /// Converts the failure of an upstream call into an error for the client.
    ///
    /// If the vendor refused a passthrough key, the message shows this key masked.
    /// - Parameters:
    ///   - model: the requested name of the model; empty if the call concerns no model.
    ///   - credential: the key of the call; nil for the key in the failure.
    package init(_ error: UpstreamError, model: String = "", _ credential: Credential? = nil) {
        let credential = credential ?? error.credential ?? .none
        if let refusal = error.refusal, error.summary == nil || error.passed != nil {
            self = refusal
            if refusal.status == 413, credential.isReported(in: refusal.message) { self = .tooLargeForProvider }
            pass(error, credential)
            return
        }
        var error = error
        if credential.isReported(in: error.message) { error.message = "" }
        if credential.isReported(in: error.code) { error.code = nil }
        if credential.isReported(in: error.param) { error.param = nil }
        switch error.kind {
        case .badKey where credential.label == nil: self = .wrongKey(credential.key)
        // The status is 502, because the client did nothing wrong.
        case .badKey: self = .refusedRelay
        case .forbidden where credential.label != nil && !error.isOfModel: self = .refusedRelay
        case .forbidden:
            self.init(403, "The provider denied access to this model or feature.", code: "permission_denied")
        case .outOfCredit:
            // A client that obeys `Retry-After` would wait in vain.
            self.init(
                402,
                "The provider's account does not have enough credit for this request.",
                type: "insufficient_quota",
                code: "insufficient_quota"
            )
            self.isRetryUseless = true
        case .unknownModel:
            self = .modelNotFound(model)
            self.message += " The provider does not serve this model; the operator can check PROVIDER_<NAME>_MODELS."
        case .badRequest:
            let message = error.message.isEmpty ? "The provider rejected this request." : error.message
            self.init(400, message, code: error.code, param: error.param)
        case .rateLimited:
            self.init(429, "The provider's rate limit is reached.", type: "requests", code: "rate_limit_exceeded")
            self.retryAfterSeconds = min(error.retryAfterSeconds ?? 1, UpstreamError.maxCooldownSeconds)
        case .failed: self = .failed(error)
        case .unavailable where error.fault == .overloaded:
            self = .overloaded("The relay is out of memory for responses. Try again in 2 s.", retryAfterSeconds: 2)
        case .unavailable:
            self.init(503, "The provider is unavailable.", type: "server_error", code: "upstream_error")
            self.retryAfterSeconds = error.retryAfterSeconds.map { min($0, UpstreamError.maxCooldownSeconds) }
        case .timedOut: self = .timedOut(error)
        case .cancelled: self = .clientLeft
        }
        if let summary = error.summary { self.message = "All providers failed: \(summary)" }
        self.fault = error.fault
        self.isFromVendor = true
        self.key = credential.key.isEmpty ? nil : credential.label
        self.provider = error.provider
        self.cause = error.cause(naming: credential)
        pass(error, credential)
    }

    /// Replaces the response for the client by the vendor's own, unless the vendor's response is about the relay's key.
    private mutating func pass(_ error: UpstreamError, _ credential: Credential) {
        guard let passed = error.passed, credential.label == nil || !error.kind.isOfAccount,
            !credential.isReported(in: passed.text)
        else { return }
        self.status = passed.status
        self.vendorBody = passed.body
        self.retryAfterSeconds = self.retryAfterSeconds ?? passed.retryAfterSeconds
    }

    private static var refusedRelay: APIError {
        // Without this advice, callers would look for a mistake in their own key.
        let advice = "The operator can check its key with `relay check --ask`."
        return APIError(502, "The provider refused the relay. \(advice)", type: "server_error", code: "upstream_error")
    }
}

extension UpstreamError {
    /// Returns the cause of the failure for the log, with the name of a rejected key. `<NAME>` stands for the provider.
    fileprivate func cause(naming credential: Credential) -> String {
        let cause = loggedCause(hiding: credential)
        guard kind == .badKey else { return cause }
        if credential.label != nil, credential.key.isEmpty {
            return "the provider wants a key; none is set (PROVIDER_<NAME>_API_KEYS)"
        }
        let key = credential.label.map { "key \($0)" } ?? "the caller's key"
        let answer = "the vendor answered \(self.status ?? 401)"
        let rest = cause.hasPrefix(answer) ? cause.dropFirst(answer.count) : ": " + cause[...]
        return "\(key) was rejected (\(self.status ?? 401))\(rest)"
    }
}
