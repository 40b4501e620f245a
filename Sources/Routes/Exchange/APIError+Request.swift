import Engine
import Limits
import Shared
import Upstream

extension APIError {
    /// Appends the error in OpenAI's JSON form, always with the members `message`, `type`, `param` and `code`.
    func appendJSON(to body: inout ByteBuffer) {
        body.json(
            #"""
            {"error":{"message":\#(self.shownMessage),"type":\#("\(self.type)"),"param":\#(self.param),\#
            "code":\#(self.code)}}
            """#
        )
    }

    /// Creates the error for a request body that the HTTP server refused.
    init(_ error: RequestError, boundBy setting: StaticString) {
        self.init(error)
        guard error.status == 413, error != .bodyTooLargeForMemory else { return }
        self.message += " The operator can change the limit with \(setting)."
    }

    init(_ error: RequestError) {
        let code: String? =
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
        if error.status == 501 || error.status == 505 { self.isRetryUseless = true }
    }

    static func emptyArray(_ param: String) -> APIError {
        APIError(400, "'\(param)' must not be empty.", code: "empty_array", param: param)
    }

    /// Returns the error for a shared store that is unavailable.
    /// - Parameter what: a sentence for the client about the failed action.
    static func storeUnreachable(_ what: String, _ failure: StoreFailure) -> APIError {
        var error = APIError(503, "\(what) Try again in 1 s.", type: "server_error", code: "store_unavailable")
        error.retryAfterSeconds = 1
        error.cause = failure.reason
        return error
    }
}
