package import Engine
package import Shared

/// Why a vendor brought no answer.
package struct UpstreamError: Error {
    package enum Kind: Sendable {
        case badKey
        case forbidden
        case outOfCredit
        case unknownModel
        /// The caller's fault; `message` says which.
        case badRequest
        case rateLimited
        /// The vendor's fault.
        case failed
        case unavailable
        case timedOut
        case cancelled
    }
    package let kind: Kind
    /// For the client: the vendor's words, cleaned; may be empty.
    package var message = ""
    /// For the log: no key, no prompt, no answer.
    package var cause = ""
    package var retryAfterSeconds: Int?
    /// The vendor itself calls it transient.
    package var isTransient = false

    /// What happened on the way to the vendor, if that was it.
    private var transport: TransportError.Kind?

    package init(_ kind: Kind, message: String = "", cause: String) {
        self.kind = kind
        self.message = message
        self.cause = cause
    }

    package init(_ error: TransportError) {
        let kind: Kind = error.kind == .cancelled ? .cancelled : error.isTimeout ? .timedOut : .failed
        self.init(kind, cause: error.code == 0 ? "\(error.kind)" : "\(error.kind) (libcurl \(error.code))")
        transport = error.kind
    }
}

extension UpstreamError {
    package var fault: UpstreamFault {
        switch transport {
        case .unreachable: .unreachable
        case .insecure: .insecure
        case .connectTimeout: .connectTimeout
        case .firstByteTimeout: .firstByteTimeout
        case .idleTimeout: .idleTimeout
        case .totalTimeout: .totalTimeout
        case .broken: .broken
        case .tooLarge: .tooLarge
        case .cancelled: .cancelled
        case nil: kind.fault
        }
    }
}

extension UpstreamError.Kind {
    fileprivate var fault: UpstreamFault {
        switch self {
        case .badKey: .badKey
        case .forbidden: .forbidden
        case .outOfCredit: .outOfCredit
        case .unknownModel: .unknownModel
        case .badRequest: .badRequest
        case .rateLimited: .rateLimited
        case .failed: .failed
        case .unavailable: .unavailable
        case .timedOut: .timedOut
        case .cancelled: .cancelled
        }
    }
}
