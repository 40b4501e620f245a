import Shared

extension UpstreamError {
    /// Whether the error is probably temporary, so that the same call can succeed later.
    package var mayPass: Bool {
        if kind == .outOfCredit || kind == .cancelled || isOfRelay { return false }
        if let status = self.refusal?.status ?? self.status {
            return [408, 409, 429].contains(status) || status >= 500
        }
        return switch fault {
        case .unreachable, .insecure, .connectTimeout, .broken, .rateLimited, .unavailable: true
        default: false
        }
    }

    /// A short description of a panel member's failure for clients, without keys and addresses.
    package var ofMember: String { self.refusal.map { "\($0.status) refused" } ?? shortly }
}
