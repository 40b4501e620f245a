import Engine
import Shared

/// The errors for failures of a provider itself.
extension APIError {
    /// Returns the error, with status 502, that the client gets when a provider has failed.
    static func failed(_ error: UpstreamError) -> APIError {
        APIError(502, message(of: error), type: "server_error", code: "upstream_error")
    }

    private static func message(of error: UpstreamError) -> String {
        let elsewhere = "Try again, or choose another model."
        switch error.fault {
        case .unreachable where error.isOfProxy:
            return """
                The relay has no connection to the provider through its proxy. Try again later. The operator can check UPSTREAM_PROXY with \
                `relay check --ask`.
                """
        case .unreachable:
            return """
                The provider cannot be reached. \(elsewhere) The operator can check PROVIDER_<NAME>_BASE_URL with \
                `relay check --ask`.
                """
        case .insecure:
            if let fault = error.certificateFault {
                return "The provider's certificate \(fault.text). The operator can \(fault.advice)."
            }
            return """
                The relay has no TLS connection to the provider. \(elsewhere) The operator can check \
                PROVIDER_<NAME>_BASE_URL with `relay check --ask`.
                """
        case .broken: return "The provider's response was cut off. \(elsewhere)"
        case .tooLarge: return "The provider's response is too large for the relay. \(elsewhere)"
        default: break
        }
        if error.isCut, !error.isInvalid { return "The provider's response was cut off. \(elsewhere)" }
        switch error.status {
        case 404, 405:
            return """
                The provider has no such path. It may not have \
                \(error.endpoint.map { "the endpoint \($0)" } ?? "this endpoint"); else the operator can check \
                PROVIDER_<NAME>_BASE_URL with `relay check --ask`.
                """
        case let status?: return "The provider returned an error (status \(status)). \(elsewhere)"
        case nil where error.reported != nil: return "The provider returned an error. \(elsewhere)"
        case nil: return "The provider returned an invalid response. \(elsewhere)"
        }
    }

    /// Returns the error, with status 504, that the client gets when a provider has taken too long.
    static func timedOut(_ error: UpstreamError) -> APIError {
        let setting: StaticString? =
            switch error.fault {
            case .connectTimeout: "PROVIDER_<NAME>_CONNECT_TIMEOUT"
            case .firstByteTimeout: "PROVIDER_<NAME>_TIMEOUT"
            case .idleTimeout: "PROVIDER_<NAME>_IDLE_TIMEOUT"
            case .totalTimeout: "PROVIDER_<NAME>_TOTAL_TIMEOUT"
            default: error.cause == UpstreamError.tooLate ? "FALLBACK_DEADLINE" : nil
            }
        let bound = setting.map { " The operator can change the time limit with \($0)." } ?? ""
        let message = "The provider did not respond in time. Try again, or choose another model.\(bound)"
        return APIError(504, message, type: "server_error", code: "upstream_timeout")
    }
}

extension UpstreamError {
    /// A short description of the failure for clients. It contains no keys and no addresses.
    var shortly: String {
        switch kind {
        case .badKey: "401 key refused"
        case .forbidden: "403 forbidden"
        case .outOfCredit: "\(self.status ?? 402) out of credit"
        case .unknownModel: "\(self.status ?? 404) unknown model"
        case .badRequest: "\(self.status ?? 400) refused"
        case .rateLimited: "429 rate limited"
        case .failed: self.status.map { "\($0) failed" } ?? (fault == .unreachable ? "unreachable" : "failed")
        case .unavailable: "503 unavailable"
        case .timedOut: "timeout"
        case .cancelled: "cancelled"
        }
    }
}
