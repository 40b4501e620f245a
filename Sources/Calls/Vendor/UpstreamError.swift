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
        /// The time for which the provider's model cannot serve anything; nil: others may be served all the same.
        package var modelRestSeconds: Int?
        /// The remedies that may help.
        package var remedy: Remedy
        /// The call cannot be made again, as some of it is gone: no remedy can be tried.
        package var isFinal = false
        /// The vendor's own code and field, where they may be shown.
        package var code: String?
        package var param: String?
        /// The names that the vendor has for fields that it misses in the call.
        package var missingFields: [String] = []
        /// The error for the client, where the request itself is at fault, as was found out late.
        package var refusal: APIError?
        /// That the call was made with; nil: none was chosen yet.
        package var credential: Credential?
        /// An answer that had begun broke off.
        package var isCut = false
        /// That the vendor told of an answer which cannot be used.
        package var usage: Usage?
        /// The part of the answer that can be used all the same; nil: none can.
        package var partial: (any PartialAnswer)?
        /// That the vendor answered with; nil: it did not, or in a good one.
        package var status: Int?
        /// It is about the model, rather than the key.
        package var isOfModel = false
        /// The vendor may lack the endpoint alone, which says nothing about its others.
        package var isOfPath = false
        /// The failures of all candidates that were asked, where there were several.
        package var summary: String?
        /// The failure on the way to the vendor, if that was it.
        fileprivate var transport: TransportError.Kind?
        /// Whether the relay itself had no time for the call.
        fileprivate var isOfBusyRelay = false
    }
    /// The remedies after a failure; empty: nothing helps.
    package struct Remedy: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The same call once more: the vendor itself calls the failure transient.
        package static let again = Remedy(rawValue: 1)
        /// To bring anew what the call refers to, which the vendor may not have any more.
        package static let reload = Remedy(rawValue: 2)
        /// Another key of the same provider.
        package static let nextKey = Remedy(rawValue: 4)
        /// Another model or provider.
        package static let elsewhere = Remedy(rawValue: 8)
        /// To prepare the call anew: the vendor lacks an ability that it was believed to have, and says so from now on.
        package static let emulation = Remedy(rawValue: 16)
        /// To ask for tools and a form in words: the answer is not as it was demanded.
        package static let asText = Remedy(rawValue: 32)
    }
    private var fields: Indirect<Fields>

    package init(_ kind: Kind, message: String = "", cause: String) {
        fields = Indirect(Fields(kind: kind, message: message, cause: cause, remedy: kind.remedy))
    }

    /// The request is at fault, as was found out only when a vendor was to be called.
    package init(refusing refusal: APIError) {
        self.init(refusal.status == 499 ? .cancelled : .badRequest, cause: refusal.message)
        self.remedy = []
        self.refusal = refusal.status == 499 ? nil : refusal
    }

    /// The candidate cannot serve the call; another may be able to.
    package init(skipping refusal: APIError) {
        self.init(refusing: refusal)
        if refusal.status < 499 { self.remedy = .elsewhere }
    }

    package init(_ error: TransportError) {
        let kind: Kind =
            switch error.kind {
            case .cancelled: .cancelled
            case .overloaded: .unavailable
            default: error.isTimeout ? .timedOut : .failed
            }
        self.init(kind, cause: error.kind == .late ? Self.tooLate : error.cause)
        fields.value.transport = error.kind
        // Nobody's answer has room here.
        if error.kind == .overloaded { self.remedy = [] }
    }

    /// The relay itself has no time for the call: no candidate is at fault, and none could do better.
    package init(ofBusyRelay cause: String) {
        self.init(.unavailable, cause: cause)
        self.remedy = []
        self.refusal = .tooMuchWork
        fields.value.isOfBusyRelay = true
    }

    /// The cause of a failure that `CallSheet.endsAt` made.
    package static let tooLate = "no answer began within FALLBACK_DEADLINE"

    package var kind: Kind { fields.value.kind }

    /// The time for which the key that the call was made with is to rest; nil: it need not.
    package var rest: Rest? {
        switch kind {
        case .badKey: .fixed(seconds: 300)
        case .forbidden:
            self.isOfModel ? nil : self.retryAfterSeconds.map { .told(seconds: $0) } ?? .fixed(seconds: 300)
        case .outOfCredit:
            self.retryAfterSeconds.map { .told(seconds: $0) } ?? .doubling(fromSeconds: 300, toSeconds: 3_600)
        case .rateLimited where self.isOfModel: nil
        case .rateLimited:
            self.retryAfterSeconds.map { .told(seconds: $0) } ?? .doubling(fromSeconds: 1, toSeconds: 60)
        case .unavailable: self.retryAfterSeconds.map { .told(seconds: $0) }
        case .unknownModel, .badRequest, .failed, .timedOut, .cancelled: nil
        }
    }

    /// The longest, whatever a vendor says.
    package static let longestRestSeconds = 86_400

    package enum Rest: Sendable, Equatable {
        case fixed(seconds: Int)
        /// As the vendor says.
        case told(seconds: Int)
        /// Of failures in a row each rest is twice as long as the last.
        case doubling(fromSeconds: Int, toSeconds: Int)
    }

    package subscript<Value>(dynamicMember path: WritableKeyPath<Fields, Value>) -> Value {
        get { fields.value[keyPath: path] }
        set { fields.value[keyPath: path] = newValue }
    }
}

extension UpstreamError {
    /// The vendor may have billed the call all the same: it was on its way, and nobody said no.
    package var mayBeBilled: Bool {
        switch fields.value.transport {
        case .firstByteTimeout, .idleTimeout, .totalTimeout, .late, .broken, .tooLarge, .overloaded, .cancelled: true
        case .unreachable, .insecure, .connectTimeout: false
        case nil: self.isCut || self.usage != nil || kind == .cancelled
        }
    }

    /// There was no room for the call.
    package var isOfCapacity: Bool { self.refusal?.isOfCapacity ?? false }

    package var fault: UpstreamFault {
        switch fields.value.transport {
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
    fileprivate var remedy: UpstreamError.Remedy {
        switch self {
        case .failed, .unavailable, .unknownModel, .timedOut: .elsewhere
        case .badKey, .forbidden, .outOfCredit, .rateLimited: [.nextKey, .elsewhere]
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

/// A part of an answer that failed.
package protocol PartialAnswer: Sendable {}
