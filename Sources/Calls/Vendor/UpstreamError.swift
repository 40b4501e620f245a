package import Engine
package import Shared

/// The reason why an upstream call failed.
@dynamicMemberLookup
package struct UpstreamError: Error {
    package enum Kind: Sendable {
        case badKey
        case forbidden
        case outOfCredit
        case unknownModel
        /// The request is invalid; `message` says why.
        case badRequest
        case rateLimited
        /// The vendor failed.
        case failed
        case unavailable
        case timedOut
        case cancelled
    }
    package struct Fields: Sendable {
        package let kind: Kind
        /// The message for the client: the vendor's text, cleaned; may be empty.
        package var message: String
        /// The cause for the log, without keys, prompts and responses.
        package var cause: String
        package var retryAfterSeconds: Int?
        /// The cooldown of the provider's model, in seconds; nil if the model may still serve other calls.
        package var modelCooldownSeconds: Int?
        /// The recovery options that may help.
        package var recovery: RecoveryOptions
        /// Whether the call must not be retried because part of it has already been consumed.
        package var isFinal = false
        /// The vendor's own error code, if it may be shown to clients.
        /// The vendor's name of the invalid field, if it may be shown to clients.
        package var code: String?
        package var param: String?
        /// The vendor's names of the fields that it misses in the call.
        package var missingFields: [String] = []
        /// The error for the client if the request itself is invalid and this was found only late.
        package var refusal: APIError?
        /// The credential of the failed call; nil if the call failed before one was chosen.
        package var credential: Credential?
        /// Whether a response had begun and then broke off.
        package var isCut = false
        /// The usage that the vendor reported for a response that could not be used; nil if it reported none.
        package var usage: Usage?
        /// The part of the response that can still be used; nil if there is none.
        package var partial: (any PartialResponse)?
        /// The HTTP status of the vendor's error response; nil if there was no response or its status was a success.
        package var status: Int?
        /// Whether the failure concerns the model rather than the key.
        package var isOfModel = false
        /// Whether only this endpoint may be missing at the vendor, which says nothing about its other endpoints.
        package var isOfPath = false
        /// The failures of all candidates that were called, if there were several.
        package var summary: String?
        /// The failure of the connection to the vendor; nil if the connection did not fail.
        fileprivate var transport: TransportError?
        /// The endpoint of the vendor's API that was called; nil if it is not known.
        fileprivate var api: Endpoint?
        /// Whether the cause names the host, as the call was not one of the vendor's API.
        package var namesHost = false
        /// Whether the relay itself had no time for the call.
        fileprivate var isOfBusyRelay = false
    }
    /// The recovery options after a failure; empty if nothing helps.
    package struct RecoveryOptions: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Retry the same call, because the vendor itself calls the failure transient.
        package static let retrySame = RecoveryOptions(rawValue: 1)
        /// Upload the files that the request refers to again, then retry: the vendor may have deleted them.
        package static let reuploadFiles = RecoveryOptions(rawValue: 2)
        /// Try another key of the same provider.
        package static let nextKey = RecoveryOptions(rawValue: 4)
        /// Try another model or provider.
        package static let nextCandidate = RecoveryOptions(rawValue: 8)
        /// Prepare the call again with emulation: the vendor lacks an ability, and the relay now knows it.
        package static let emulation = RecoveryOptions(rawValue: 16)
        /// Ask for tools and the output format in the prompt: the response did not have the requested format.
        package static let promptForFormat = RecoveryOptions(rawValue: 32)
    }
    private var fields: Indirect<Fields>

    package init(_ kind: Kind, message: String = "", cause: String) {
        fields = Indirect(Fields(kind: kind, message: message, cause: cause, recovery: kind.recovery))
    }

    /// Creates the error for a request that was found invalid only when a vendor was about to be called. No recovery
    /// helps.
    package init(refusing refusal: APIError) {
        self.init(refusal.status == 499 ? .cancelled : .badRequest, cause: refusal.message)
        self.recovery = []
        self.refusal = refusal.status == 499 ? nil : refusal
    }

    /// Creates the error for a candidate that cannot serve the call. Another candidate may be able to.
    package init(skipping refusal: APIError) {
        self.init(refusing: refusal)
        if refusal.status < 499 { self.recovery = .nextCandidate }
    }

    package init(_ error: TransportError) {
        let kind: Kind =
            switch error.kind {
            case .cancelled: .cancelled
            case .overloaded: .unavailable
            default: error.isTimeout ? .timedOut : .failed
            }
        self.init(kind, cause: error.kind == .late ? Self.tooLate : error.cause)
        fields.value.transport = error
        // The relay is out of memory, so no candidate's response would fit.
        if error.kind == .overloaded { self.recovery = [] }
    }

    /// Creates the error for a call that the relay itself has no time for. No candidate failed, and none could do
    /// better.
    package init(ofBusyRelay cause: String) {
        self.init(.unavailable, cause: cause)
        self.recovery = []
        self.refusal = .tooMuchWork
        fields.value.isOfBusyRelay = true
    }

    /// The cause of a failure that `CallLedger.endsAt` caused.
    package static let tooLate = "no response began within FALLBACK_DEADLINE"

    package var kind: Kind { fields.value.kind }

    /// The cooldown for the key of the call; nil if the key needs none.
    package var cooldown: Cooldown? {
        switch kind {
        case .badKey: .fixed(seconds: 300)
        case .forbidden:
            self.isOfModel ? nil : self.retryAfterSeconds.map { .reported(seconds: $0) } ?? .fixed(seconds: 300)
        case .outOfCredit:
            self.retryAfterSeconds.map { .reported(seconds: $0) } ?? .doubling(fromSeconds: 300, toSeconds: 3_600)
        case .rateLimited where self.isOfModel: nil
        case .rateLimited:
            self.retryAfterSeconds.map { .reported(seconds: $0) } ?? .doubling(fromSeconds: 1, toSeconds: 60)
        case .unavailable: self.retryAfterSeconds.map { .reported(seconds: $0) }
        case .unknownModel, .badRequest, .failed, .timedOut, .cancelled: nil
        }
    }

    /// The longest cooldown, even if a vendor reports a longer time.
    package static let maxCooldownSeconds = 86_400

    package enum Cooldown: Sendable, Equatable {
        case fixed(seconds: Int)
        /// The time that the vendor reported.
        case reported(seconds: Int)
        /// Exponential backoff: each consecutive failure doubles the cooldown.
        case doubling(fromSeconds: Int, toSeconds: Int)
    }

    package subscript<Value>(dynamicMember path: WritableKeyPath<Fields, Value>) -> Value {
        get { fields.value[keyPath: path] }
        set { fields.value[keyPath: path] = newValue }
    }
}

extension UpstreamError {
    /// Whether the vendor may bill the call although it failed: it was sent, and the vendor did not refuse it.
    package var mayBeBilled: Bool {
        switch fields.value.transport?.kind {
        case .firstByteTimeout, .idleTimeout, .totalTimeout, .late, .broken, .tooLarge, .overloaded, .cancelled: true
        case .unreachable, .insecure, .connectTimeout: false
        case nil: self.isCut || self.usage != nil || kind == .cancelled
        }
    }

    /// Records the endpoint of the vendor's API that was called, unless one is recorded.
    package mutating func locate(at api: Endpoint) { if fields.value.api == nil { fields.value.api = api } }

    /// The cause for the log, with host and path of the call of the vendor's API.
    package var locatedCause: String {
        guard let api = fields.value.api, kind != .cancelled, !self.namesHost else { return self.cause }
        if let transport = fields.value.transport, transport.kind != .late { return transport.cause(ofCallTo: api) }
        return "\(self.cause) at \(api.location)"
    }

    /// Whether the call failed because no capacity was free.
    package var isCapacityShortage: Bool { self.refusal?.isCapacityShortage ?? false }

    package var fault: UpstreamFault {
        switch fields.value.transport?.kind {
        case .unreachable: .unreachable
        case .insecure: .insecure
        case .connectTimeout: .connectTimeout
        case .firstByteTimeout: .firstByteTimeout
        case .idleTimeout: .idleTimeout
        case .totalTimeout: .totalTimeout
        case .late: .timedOut
        case .broken: .broken
        case .tooLarge: .tooLarge
        case .overloaded: .overloaded
        case .cancelled: .cancelled
        case nil: fields.value.isOfBusyRelay ? .busy : kind.fault
        }
    }

    /// Whether the relay itself had no memory or no time for the call.
    package var isOfRelay: Bool { fault == .overloaded || fault == .busy }
}

extension UpstreamError.Kind {
    fileprivate var recovery: UpstreamError.RecoveryOptions {
        switch self {
        case .failed, .unavailable, .unknownModel, .timedOut: .nextCandidate
        case .badKey, .forbidden, .outOfCredit, .rateLimited: [.nextKey, .nextCandidate]
        case .badRequest, .cancelled: []
        }
    }

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

/// A part of a failed response that can still be used.
package protocol PartialResponse: Sendable {}
