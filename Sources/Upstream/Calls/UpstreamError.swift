package import Engine
package import Shared

/// Why a vendor brought no answer.
@dynamicMemberLookup
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
    package struct Fields: Sendable {
        package let kind: Kind
        /// For the client: the vendor's words, cleaned; may be empty.
        package var message: String
        /// For the log: no key, no prompt, no answer.
        package var cause: String
        package var retryAfterSeconds: Int?
        /// The vendor itself calls it transient.
        package var isTransient = false
        /// The vendor does not take the call as it is; it may refer to what the vendor does not have.
        package var isOfContent = false
        /// An answer that had begun broke off.
        package var isCut = false
        /// What happened on the way to the vendor, if that was it.
        fileprivate var transport: TransportError.Kind?
    }
    private var fields: Indirect<Fields>

    package init(_ kind: Kind, message: String = "", cause: String) {
        fields = Indirect(Fields(kind: kind, message: message, cause: cause))
    }

    package init(_ error: TransportError) {
        let kind: Kind =
            switch error.kind {
            case .cancelled: .cancelled
            case .overloaded: .unavailable
            default: error.isTimeout ? .timedOut : .failed
            }
        self.init(kind, cause: error.cause)
        fields.value.transport = error.kind
    }

    package var kind: Kind { fields.value.kind }

    package subscript<Value>(dynamicMember path: WritableKeyPath<Fields, Value>) -> Value {
        get { fields.value[keyPath: path] }
        set { fields.value[keyPath: path] = newValue }
    }
}

extension UpstreamError {
    /// The vendor may have billed the call all the same: it was on its way, and nobody said no.
    package var mayBeBilled: Bool {
        switch fields.value.transport {
        case .firstByteTimeout, .idleTimeout, .totalTimeout, .broken, .tooLarge, .overloaded, .cancelled: true
        case .unreachable, .insecure, .connectTimeout: false
        case nil: self.isCut || kind == .cancelled
        }
    }

    package var fault: UpstreamFault {
        switch fields.value.transport {
        case .unreachable: .unreachable
        case .insecure: .insecure
        case .connectTimeout: .connectTimeout
        case .firstByteTimeout: .firstByteTimeout
        case .idleTimeout: .idleTimeout
        case .totalTimeout: .totalTimeout
        case .broken: .broken
        case .tooLarge: .tooLarge
        case .overloaded: .overloaded
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
