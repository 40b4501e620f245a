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
        /// The vendor failed. For example, it returned an internal error or an invalid response.
        case failed
        case unavailable
        case timedOut
        case cancelled
    }
    package struct Fields: Sendable {
        package let kind: Kind
        /// The message for the client, made from the vendor's text. It can be empty.
        package var message: String
        /// The cause of the failure for the log, without keys, prompts and responses.
        package var cause: String
        package var retryAfterSeconds: Int?
        /// The cooldown of the provider's model in seconds; nil if the model can still serve other calls.
        var modelCooldownSeconds: Int?
        /// The recovery options that can help after this failure.
        var recovery: RecoveryOptions
        /// Whether the call must not be retried, because the client's request can no longer be read from its beginning.
        package var isFinal = false
        /// Whether a budget does not pay the call, or the rest of the response.
        package var isOfBudget = false
        /// The vendor's own error code; nil if there is none that clients may see.
        package var code: String?
        /// The vendor's name for the invalid field; nil if there is none that clients may see.
        package var param: String?
        /// The names of the fields that the vendor requires and that the call did not contain.
        var missingFields: [String] = []
        /// The vendor's error response if the client may get it unchanged; otherwise nil.
        package var passed: PassedError?
        /// The complete error for the client; nil if the error is made from the other fields.
        package var refusal: APIError?
        /// The credential of the failed call; nil if the call failed before a credential was chosen.
        package var credential: Credential?
        /// The name of the provider that failed; nil if the call failed before a provider was called.
        package var provider: String?
        /// Whether the vendor's response began but broke off.
        package var isCut = false
        /// Whether a response that counts as broken off did arrive, but is invalid.
        var isInvalid = false
        /// The usage that the vendor reported for an unusable response; nil if it reported none.
        package var usage: Usage?
        /// The credits that the vendor reported for an unusable response; nil if it reported none.
        package var credits: Int?
        /// The part of the response that can still be used; nil if there is none.
        package var partial: (any PartialResponse)?
        /// The HTTP status of the vendor's error response; nil if the vendor sent no error response.
        package var status: Int?
        /// The lacking abilities that the response shows; nil if it shows none. The recovery option `emulation` does
        /// without them.
        var lack: QuirkFinding?
        /// The error that the vendor reported within a response whose own status is a success; nil for other failures.
        var reported: (any ReportedError)?
        /// Whether the failure concerns the model and not the key.
        var isOfModel = false
        /// Whether the vendor might lack the called endpoint.
        package var isOfPath = false
        /// The failures of all called candidates as one text; nil if this failure alone says enough.
        package var summary: String?
        /// The failure of the connection to the vendor; nil if the connection did not fail.
        fileprivate var transport: TransportError?
        /// The endpoint of the vendor's API that was called; nil if it is not known.
        fileprivate var api: Endpoint?
        /// Whether the text in `cause` already names the vendor's host.
        var namesHost = false
        /// Whether the call failed because the relay itself had no time for it.
        fileprivate var isOfBusyRelay = false
        /// Reads the error once more, after a comparison of its words with the request; nil if the words do not matter.
        var readAgain: (@Sendable (RefusedRequest) -> UpstreamError)?
    }
    /// The steps that can help after a failure, such as a retry; empty if nothing helps.
    package struct RecoveryOptions: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The option to repeat the same call, because the vendor says that the failure is transient.
        static let retrySame = RecoveryOptions(rawValue: 1)
        /// The option to upload the request's files again and then repeat the call.
        static let reuploadFiles = RecoveryOptions(rawValue: 2)
        /// The option to try another key of the same provider.
        static let nextKey = RecoveryOptions(rawValue: 4)
        /// The option to try the next candidate: another provider or model.
        static let nextCandidate = RecoveryOptions(rawValue: 8)
        /// The option to prepare the call again with emulation of an ability that the vendor lacks.
        static let emulation = RecoveryOptions(rawValue: 16)
        /// The option to describe the tools and the output format in the prompt.
        static let promptForFormat = RecoveryOptions(rawValue: 32)
    }
    private var fields: Indirect<Fields>

    package init(_ kind: Kind, message: String = "", cause: String) {
        fields = Indirect(Fields(kind: kind, message: message, cause: cause, recovery: kind.recovery))
    }

    /// Creates the error for a call that the relay refuses itself. No recovery option helps.
    package init(refusing refusal: APIError) {
        self.init(refusal.status == 499 ? .cancelled : .badRequest, cause: refusal.message)
        self.recovery = []
        self.refusal = refusal.status == 499 ? nil : refusal
    }

    /// Creates the error for a further call, or for the rest of a response, that a budget does not pay.
    package init(ofBudget refusal: APIError) {
        self.init(refusing: refusal)
        self.isOfBudget = true
    }

    /// Creates the error for a candidate that is skipped, because it cannot serve the call. The next candidate might.
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

    /// Creates the error for a call that the relay itself has no time for. No recovery option helps.
    package init(ofBusyRelay cause: String) {
        self.init(.unavailable, cause: cause)
        self.recovery = []
        self.refusal = .tooMuchWork
        fields.value.isOfBusyRelay = true
    }

    /// Returns the error for this cancelled call if its time was over. The vendor may bill the call.
    package func late(_ cause: String) -> UpstreamError {
        var late = UpstreamError(TransportError(.late))
        (late.cause, late.isCut, late.usage) = (cause, self.isCut, self.usage)
        return late
    }

    /// The text in `cause` if no response began before the deadline for all attempts (`Billing.endsAt`).
    static let tooLate = "no response began within FALLBACK_DEADLINE"

    package var kind: Kind { fields.value.kind }

    /// The cooldown for the key of the failed call; nil if the key needs no cooldown.
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

    /// The maximum length of a cooldown in seconds, even if a vendor reports a longer time.
    static let maxCooldownSeconds = 86_400

    package enum Cooldown: Sendable, Equatable {
        case fixed(seconds: Int)
        /// A cooldown of the length that the vendor reported.
        case reported(seconds: Int)
        /// A cooldown with exponential backoff: each failure in a row doubles its length.
        case doubling(fromSeconds: Int, toSeconds: Int)
    }

    package subscript<Value>(dynamicMember path: WritableKeyPath<Fields, Value>) -> Value {
        get { fields.value[keyPath: path] }
        set { fields.value[keyPath: path] = newValue }
    }

    /// Whether the vendor might bill the call although the call failed.
    package var mayBeBilled: Bool {
        if let credits = self.credits { return credits > 0 }
        return switch fields.value.transport?.kind {
        case .firstByteTimeout, .idleTimeout, .totalTimeout, .late, .broken, .tooLarge, .coded, .overloaded, .cancelled:
            true
        case .unreachable, .insecure, .connectTimeout: false
        case nil: self.isCut || self.usage != nil || kind == .cancelled
        }
    }

    /// Returns the failure of a call for which the vendor reported these credits; nil if it reported none.
    package func reporting(credits: Int?) -> UpstreamError {
        var error = self
        error.credits = credits
        return error
    }

    /// Whether the client or the relay left the call before its end, so that the vendor may have written unseen output.
    var isLeft: Bool { mayBeBilled && (kind == .cancelled || kind == .timedOut) }

    /// Records the called endpoint of the vendor's API, unless one is already recorded.
    mutating func locate(at api: Endpoint) { if fields.value.api == nil { fields.value.api = api } }

    /// The cause of the failure for the log, with the vendor's host and path if they are known.
    var locatedCause: String {
        guard let api = fields.value.api, kind != .cancelled, !self.namesHost else { return self.cause }
        if let transport = fields.value.transport, transport.kind != .late { return transport.cause(ofCallTo: api) }
        return "\(self.cause) at \(api.location)"
    }

    /// The end of the called path as clients may see it: `/chat/completions`. Nil if it may hold more than words of the API.
    var endpoint: String? {
        guard let path = fields.value.api?.location.split(separator: "/").dropFirst(), let last = path.last,
            last.utf8.allSatisfy({ $0.isLetter || $0 == UInt8(ascii: "_") })
        else { return nil }
        let group = path.dropLast().last.map { ["chat", "images", "audio"].contains($0) ? "/\($0)" : "" }
        return "\(group ?? "")/\(last)"
    }

    /// Whether the call failed because the provider had no free capacity.
    package var isCapacityShortage: Bool { self.refusal?.isCapacityShortage ?? false }

    /// Whether the call failed because the relay's own proxy cannot be reached or gave no connection.
    var isOfProxy: Bool { fields.value.transport?.isOfProxy ?? false }

    /// The reason why the certificate of the vendor's server is not accepted; nil if the call failed for another reason.
    var certificateFault: CertificateFault? { fields.value.transport?.certificateFault }

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
        case .coded: .failed
        case .overloaded: .overloaded
        case .cancelled: .cancelled
        case nil: fields.value.isOfBusyRelay ? .busy : kind.fault
        }
    }

    /// Whether the call failed because the relay itself had no memory or no time for it.
    package var isOfRelay: Bool { fault == .overloaded || fault == .busy }
}

extension UpstreamError.Kind {
    /// Whether the failure is about the key with which the vendor was called, or about the key's account.
    var isOfAccount: Bool {
        switch self {
        case .badKey, .forbidden, .outOfCredit: true
        default: false
        }
    }

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

/// An error as a vendor reported it, from which quirks can be learned.
protocol ReportedError: Sendable {}

/// A part of a failed response that can still be used.
package protocol PartialResponse: Sendable {}
