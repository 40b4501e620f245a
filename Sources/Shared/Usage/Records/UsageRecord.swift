/// The record of a finished request, of one upstream call for it, or of both. It never contains a prompt, a response or
/// a key.
package struct UsageRecord: Sendable {
    package enum Subject: Sendable {
        case request
        /// An upstream call. `key` is the name of the provider's own key, or nil for a caller's key or none. `credits`
        /// is the number that the vendor reported.
        case call(key: String?, credits: Int?)
        /// A request and its only call, whose record differs from the request's in these values only.
        case requestWithCall(OnlyCall)
    }

    package struct OnlyCall: Sendable {
        let timeMilliseconds: Int
        let durationMilliseconds: Int
        let key: String?
        let credits: Int?

        package init(at timeMilliseconds: Int, durationMilliseconds: Int, key: String?, credits: Int?) {
            self.timeMilliseconds = timeMilliseconds
            self.durationMilliseconds = durationMilliseconds
            self.key = key
            self.credits = credits
        }
    }

    /// The time at which the request or call ended, in milliseconds since 1970.
    package private(set) var timeMilliseconds: Int
    package var subject: Subject
    package let requestID: String
    /// The route by its name in metrics, such as `/chat/completions`; nil if the route is unknown.
    package let endpoint: String?
    /// The name of a known key, or a digest of another key; nil if the caller is anonymous.
    package let caller: String?
    /// The model that the request named; nil if it named none.
    package let model: String?
    /// The vendor's name of the model that was called last.
    package var modelUsed: String?
    /// The provider that was called last; nil if none was called.
    package var provider: String?
    package var promptTokens = 0
    package var completionTokens = 0
    /// Whether the relay counted the tokens because the vendor did not report them.
    package var isEstimated = false
    /// Whether the relay counted the tokens with the model's vocabulary. False if they are estimates or the vendor's
    /// numbers.
    package var isExact = false
    /// The cost; nil if unknown.
    package var cost: Cost?
    package var durationMilliseconds = 0
    /// The number of upstream calls, including retries.
    package var attempts = 0
    package var isStreamed = false
    /// Whether the response came from the cache.
    package var isCached = false
    package var isSuccess = false
    /// The HTTP status of the response, or for a call that of the vendor's response; nil if there was none.
    package var status: Int?
    package var error: String?
    /// The time until the response began, in milliseconds; nil of calls, and of records of older relays.
    package var firstByteMilliseconds: Int?
    /// The time that the request waited for limits, in milliseconds.
    package var limitsWaitMilliseconds = 0
    /// The time that the request waited for the capacity of providers, in milliseconds.
    package var capacityWaitMilliseconds = 0
    /// The limits that the request was counted in, separated by `; `; nil if there was none.
    package var limits: String?
    /// The bodies of the request; nil if none are kept. Stores that keep no bodies ignore them.
    package var bodies: KeptBodies?

    package init(
        at timeMilliseconds: Int,
        _ subject: Subject,
        requestID: String,
        endpoint: String?,
        caller: String?,
        model: String?
    ) {
        self.timeMilliseconds = timeMilliseconds
        self.subject = subject
        self.requestID = requestID
        self.endpoint = endpoint
        self.caller = caller
        self.model = model
    }
}

extension UsageRecord {
    /// The number of records that this value represents.
    var count: Int { if case .requestWithCall = subject { 2 } else { 1 } }

    var isOfRequest: Bool { if case .call = subject { false } else { true } }

    /// The record of the only call, for stores that keep it separately; nil if there is no such call.
    var onlyCall: UsageRecord? {
        guard case .requestWithCall(let own) = subject else { return nil }
        var call = self
        call.subject = .call(key: own.key, credits: own.credits)
        call.timeMilliseconds = own.timeMilliseconds
        call.durationMilliseconds = own.durationMilliseconds
        (call.attempts, call.isStreamed, call.isCached) = (0, false, false)
        (call.firstByteMilliseconds, call.limits, call.bodies) = (nil, nil, nil)
        (call.limitsWaitMilliseconds, call.capacityWaitMilliseconds) = (0, 0)
        return call
    }
}

extension ArraySlice<UsageRecord> {
    /// The number of records that these values represent.
    var recordCount: Int {
        let records = span
        var count = 0
        for position in records.indices { count += records[position].count }
        return count
    }
}
