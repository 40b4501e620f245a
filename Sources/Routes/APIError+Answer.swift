import Engine
import Shared
import Upstream

extension APIError {
    /// The envelope: always these four keys.
    func appendJSON(to body: inout ByteBuffer) {
        body.append(#"{"error":{"message":"#)
        body.append(json: self.message)
        body.append(#","type":""#)
        body.append(self.type)
        body.append(#"","param":"#)
        if let param = self.param { body.append(json: param) } else { body.append("null") }
        body.append(#","code":"#)
        if let code = self.code { body.append(json: "\(code)") } else { body.append("null") }
        body.append("}}")
    }

    /// What the server refuses by itself.
    init(_ error: RequestError) {
        let code: StaticString? =
            switch error.status {
            case 405: "method_not_allowed"
            case 413: "request_too_large"
            case 503: "overloaded"
            default: nil
            }
        self.init(
            error.status,
            error.reason,
            type: error.status < 500 ? "invalid_request_error" : "server_error",
            code: code
        )
        if error.status == 503 { self.retryAfterSeconds = 2 }
        if error.status == 501 || error.status == 505 { self.isHopeless = true }
    }

    /// A vendor's failure in the client's terms. A caller's own key may be shown to him, masked; that the relay's is
    /// refused is none of his fault.
    init(_ error: UpstreamError, model: String, _ credential: Credential) {
        var error = error
        if !credential.key.isEmpty, error.message.contains(credential.key) { error.message = "" }
        switch error.kind {
        case .badKey where credential.label == nil: self = .wrongKey(credential.key)
        case .badKey: self.init(502, "The provider refused the relay.", type: "server_error", code: "upstream_error")
        case .forbidden: self.init(403, "The provider does not permit this.", code: "permission_denied")
        case .outOfCredit:
            self.init(
                429,
                "The provider's account has not enough credit for this call.",
                type: "insufficient_quota",
                code: "insufficient_quota"
            )
            self.isHopeless = true
        case .unknownModel: self = .modelNotFound(model)
        case .badRequest:
            self.init(400, error.message.isEmpty ? "The provider refused this request." : error.message)
        case .rateLimited:
            self.init(429, "The provider's rate limit is reached.", type: "requests", code: "rate_limit_exceeded")
            self.retryAfterSeconds = error.retryAfterSeconds ?? 1
        case .failed: self.init(502, "The provider failed.", type: "server_error", code: "upstream_error")
        case .unavailable:
            self.init(503, "The provider is not available.", type: "server_error", code: "upstream_error")
            self.retryAfterSeconds = error.retryAfterSeconds
        case .timedOut:
            self.init(504, "The provider took too long.", type: "server_error", code: "upstream_timeout")
        case .cancelled: self = .clientLeft
        }
        self.fault = error.fault
        self.isFromVendor = true
        self.key = credential.key.isEmpty ? nil : credential.label
        let key = credential.key
        let cause = key.isEmpty ? error.cause : error.cause.replacing(key, with: "...")
        let own = error.kind == .badKey ? credential.label : nil
        self.cause = own.map { "the relay's own key \($0) was refused: \(cause)" } ?? cause
    }
}
