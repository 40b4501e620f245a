import Shared

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
