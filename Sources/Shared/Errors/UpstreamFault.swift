/// The kind of failure of an upstream call, for metrics.
package enum UpstreamFault: Int, CaseIterable, Sendable {
    // Failures of the connection.
    case unreachable
    case insecure
    case connectTimeout
    case firstByteTimeout
    case idleTimeout
    case totalTimeout
    case broken
    case tooLarge
    /// The relay did not have enough free memory for the vendor's response.
    case overloaded
    /// The relay was too busy to process the upstream call.
    case busy
    case cancelled
    // Errors that the vendor reported.
    case badKey
    case forbidden
    case outOfCredit
    case unknownModel
    case badRequest
    case rateLimited
    case failed
    case unavailable
    case timedOut

    package var name: StaticString {
        switch self {
        case .unreachable: "unreachable"
        case .insecure: "insecure"
        case .connectTimeout: "connect_timeout"
        case .firstByteTimeout: "first_byte_timeout"
        case .idleTimeout: "idle_timeout"
        case .totalTimeout: "total_timeout"
        case .broken: "broken"
        case .tooLarge: "too_large"
        case .overloaded: "no_memory"
        case .busy: "relay_busy"
        case .cancelled: "cancelled"
        case .badKey: "refused_key"
        case .forbidden: "refused_forbidden"
        case .outOfCredit: "refused_credit"
        case .unknownModel: "refused_model"
        case .badRequest: "refused_request"
        case .rateLimited: "refused_rate_limit"
        case .failed: "failed"
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        }
    }
}
