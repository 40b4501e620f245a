import Engine
import Shared

/// A function that recognises errors which a vendor reports in its own way, and converts them. Returns nil for all
/// other errors.
typealias VendorErrorTable = @Sendable (VendorError) -> UpstreamError?

/// The content of a vendor's error response, in one form for all vendors.
struct VendorError {
    var status: Int
    var code = ""
    var type = ""
    var said = ""
    var param: String?
    /// The names of further parameters that the error's details mention, in addition to `param`.
    var otherParams: [String] = []
    var retryAfterSeconds: Int?
    /// Google's `reason` for the error, such as `API_KEY_INVALID`; empty if there is none.
    var reason = ""
    var quota = ""
    /// The JSON in the message from which the error was read, and the message; nil if there was none.
    private(set) var inner: (document: String, message: String)?

    var words: PhraseMatcher { PhraseMatcher(said) }

    init(status: Int) { self.status = status }

    /// - Parameter depth: the number of servers that have repeated the error.
    init(_ root: JSONValue, status: Int, depth: Int = 0) {
        self.status = status
        var root = root
        if root.kind == .array, let first = root.elements?.first(where: { _ in true }) { root = first }
        let error = root["error"] ?? root["errors"]?.elements?.first { _ in true } ?? root
        let inner = error["details"]?["error_code"]
        let ofMiniMax = Self.word(root["base_resp"]?["status_code"]).flatMap { Self.codesOfMiniMax[$0] }
        code = ofMiniMax ?? Self.word(error["code"]) ?? Self.word(root["code"]) ?? Self.word(inner) ?? ""
        type = Self.word(error["type"]) ?? Self.word(root["type"]) ?? Self.word(error["status"]) ?? ""
        said = Self.said(root)
        let details = Self.details(root)?.elements
        param = Self.param(error["param"] ?? details?.first { _ in true }.flatMap(Self.fieldName))
        otherParams = (details ?? JSONElements()).prefix(16).dropFirst().compactMap { Self.param(Self.fieldName($0)) }
        for detail in (error["details"]?.elements ?? JSONElements()).prefix(16) { read(detail) }
        if depth < Self.maxDepth { readInner((error["metadata"] ?? root["metadata"])?["raw"], depth: depth + 1) }
    }

    private static let maxDepth = 3
    /// The words for MiniMax's codes, which come with status 200 in `base_resp`.
    private static let codesOfMiniMax = [
        "1001": "timeout", "1002": "rate_limit_exceeded", "1004": "invalid_api_key", "1008": "insufficient_quota",
        "1026": "content_filter", "1027": "content_filter", "1039": "rate_limit_exceeded",
        "1041": "rate_limit_exceeded", "2013": "invalid_request_error", "2049": "invalid_api_key",
    ]

    /// Takes over the error of the server behind this one: an object, a text or JSON, or JSON in the message.
    private mutating func readInner(_ raw: JSONValue?, depth: Int) {
        if let raw, raw.kind == .object { return adopt(VendorError(raw, status: status, depth: depth), isOwn: true) }
        let message = said
        if let text = raw?.text, !text.isEmpty { said = text[part: 0..<min(4_096, text.count)].text }
        let text = ByteBuffer(said)
        guard let start = text.bytes.first(UInt8(ascii: "{")) else { return }
        let document = text.bytes[part: start..<RawJSON.end(of: text.bytes, from: start)].text
        let json = ByteBuffer(document)
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard let root = try? parser.parse(json.bytes) else { return }
        // A prompt that the server quotes could have a code.
        let isOwn = raw != nil || start == 0
        adopt(VendorError(root, status: status, depth: depth), isOwn: isOwn)
        if !isOwn, inner == nil { inner = (document, message) }
    }

    private mutating func adopt(_ error: VendorError, isOwn: Bool) {
        guard !error.said.isEmpty else { return }
        said = error.said
        (param, otherParams) = (error.param ?? param, error.otherParams + otherParams)
        guard isOwn else { return }
        if !error.code.isEmpty { code = error.code }
        if !error.type.isEmpty { type = error.type }
    }

    /// Goes back to the whole message if the JSON in the message repeats strings of the request.
    mutating func distrustEcho(of request: UnsafeRawBufferPointer) {
        guard let inner else { return }
        let echo = EchoFinder(Array(inner.document.utf8), in: request).isEcho
        guard echo.count(where: { $0 }) * 2 > echo.count else { return }
        (said, param, otherParams) = (inner.message, nil, [])
    }

    /// Reads the reason, the retry delay and the quota from one detail in Google's `google.rpc` format.
    private mutating func read(_ detail: JSONValue) {
        if let word = Self.word(detail["reason"]) { reason = word }
        // The delay is written as `34.4s`.
        let delay = detail["retryDelay"]?.text.map { $0[part: 0..<max(0, min(20, $0.count) - 1)].text }
        if let seconds = delay.flatMap(Double.init), (0...1e9).contains(seconds) {
            retryAfterSeconds = Int(min(86_400, max(1, seconds.rounded(.up))))
        }
        for violation in (detail["violations"]?.elements ?? JSONElements()).prefix(16) where quota.isEmpty {
            quota = Self.word(violation["quotaId"]) ?? ""
        }
    }

    private static func fieldName(_ detail: JSONValue) -> JSONValue? {
        detail["loc"]?.elements?.dropFirst().suffix(1).first
    }

    private static func param(_ value: JSONValue?) -> String? {
        value?.text.flatMap { $0.count <= 100 ? $0.text : nil }
    }

    private static func word(_ value: JSONValue?) -> String? {
        if let text = value?.text { return text[part: 0..<min(100, text.count)].text }
        return value?.integer.map { "\($0)" }
    }

    private static func details(_ root: JSONValue) -> JSONValue? { root["detail"] ?? root["message"]?["detail"] }

    private static func said(_ root: JSONValue) -> String {
        let detail = details(root)
        let texts = [
            root["error"]?["message"], root["error"], root["message"], root["msg"], detail,
            root["base_resp"]?["status_msg"], detail?.elements?.first { _ in true }?["msg"],
            root["errors"]?.elements?.first { _ in true }?["message"],
        ]
        for case let value? in texts {
            if let text = value.text, !text.isEmpty { return text[part: 0..<min(4_096, text.count)].text }
        }
        return ""
    }

    // MARK: Statuses

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
            case "invalid_request_error", "context_length_exceeded", "content_filter", "invalid_prompt": return 400
            case "request_too_large": return 413
            case "overloaded_error": return 529
            case "server_is_overloaded", "unavailable_error", "service_unavailable": return 503
            case "timeout", "timeout_error", "upstream_timeout": return 504
            default: continue
            }
        }
        return 502
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
        case 403:
            var error = isOfModel ? new(.forbidden, recovery: .nextCandidate) : new(.forbidden)
            error.isOfModel = isOfModel
            return error
        case 404 where isOfModel: return new(.unknownModel)
        case 408, 504: return new(.timedOut, recovery: .nextCandidate)
        case 409, 425: return new(.failed, recovery: [.retrySame, .nextCandidate])
        case 413: return tooLarge
        case 429: return new(.rateLimited)
        case 503, 529: return new(.unavailable)
        case 406: return new(.failed, recovery: .nextCandidate)
        case 415, 431: return refusal
        default: return new(.failed)
        }
    }

    var isOfModel: Bool { names("model_not_found") || names("DeploymentNotFound") || words.say("model") }

    /// Whether the vendor refused the request because the prompt does not fit the model's context window.
    var isPromptTooLong: Bool { Self.contextCodes.contains(where: names) || words.saysPromptTooLong }

    /// Whether the account has no money left.
    var isOfCredit: Bool {
        guard status >= 400 else { return false }
        return Self.creditCodes.contains(where: names) || words.containsAny(of: Self.creditWords)
    }

    private static let creditCodes = [
        "insufficient_quota", "billing_hard_limit_reached", "credit_balance_exhausted",
        "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
        "exceeded_current_quota_error", "Arrearage", "1113",
    ]
    private static let creditWords: [StaticString] = [
        "exceeded your current quota", "insufficient balance", "insufficient account balance", "余额不足",
        "please recharge",
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

    /// Returns whether a vendor's error code consists of lower-case letters and `_` only.
    private static func isPlain(_ word: String) -> Bool {
        (1...64).contains(word.utf8.count)
            && word.utf8.allSatisfy { (97...122).contains($0) || $0 == UInt8(ascii: "_") }
    }

    func new(_ kind: UpstreamError.Kind, recovery: UpstreamError.RecoveryOptions? = nil) -> UpstreamError {
        var error = UpstreamError(kind, cause: cause)
        if let recovery { error.recovery = recovery }
        error.retryAfterSeconds = retryAfterSeconds ?? (kind == .rateLimited ? words.secondsToWait : nil)
        return error
    }

    var refusal: UpstreamError {
        var error = UpstreamError(.badRequest, message: UpstreamError.words(of: said), cause: cause)
        // The type `invalid_request_error` is left out, as all such errors have it.
        error.code = [code, type].first { Self.isPlain($0) && !$0.hasSameBytes(as: "invalid_request_error") }
        error.param = param.flatMap { Self.isPath($0) && UpstreamError.words(of: $0) == $0 ? $0 : nil }
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
        error.refusal = APIError(
            413,
            "The provider rejected the request because it is too large.",
            code: "request_too_large"
        )
        return error
    }

    private static func isPath(_ param: String) -> Bool {
        (1...100).contains(param.utf8.count) && param.utf8.allSatisfy { $0.isLetterOrDigit(or: ".[]_") }
    }
}
