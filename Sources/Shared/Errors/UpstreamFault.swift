/// The kind of failure of an upstream call, for metrics. The raw value is its name there.
package enum UpstreamFault: String, CaseIterable, Sendable {
    // Failures of the connection.
    case unreachable
    case insecure
    case connectTimeout = "connect_timeout"
    case firstByteTimeout = "first_byte_timeout"
    case idleTimeout = "idle_timeout"
    case totalTimeout = "total_timeout"
    case broken
    case tooLarge = "too_large"
    /// The relay did not have enough free memory for the vendor's response.
    case overloaded = "no_memory"
    /// The relay was too busy to process the upstream call.
    case busy = "relay_busy"
    case cancelled
    // Errors that the vendor reported.
    case badKey = "refused_key"
    case forbidden = "refused_forbidden"
    case outOfCredit = "refused_credit"
    case unknownModel = "refused_model"
    case badRequest = "refused_request"
    case rateLimited = "refused_rate_limit"
    case failed
    case unavailable
    case timedOut = "timed_out"

    /// The index of this case in `allCases`, and of its count in a list of counts.
    var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
