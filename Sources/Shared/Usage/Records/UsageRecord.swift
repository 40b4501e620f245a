/// The record of a request that has ended, or of one call of a vendor for it, or of both. Never a prompt, an answer or a
/// key.
package struct UsageRecord: Sendable {
    package enum Subject: Sendable {
        case request
        /// A vendor's call, with the name of the provider's own key; nil: it was the caller's, or none. `credits`: as the
        /// vendor told them.
        case call(key: String?, credits: Int?)
        /// A request and its only call, whose record is the same but for this.
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

    /// Of its end, since 1970.
    package private(set) var timeMilliseconds: Int
    package var subject: Subject
    package let requestID: String
    /// The route, as metrics name it: `/chat/completions`; nil: there is no such.
    package let endpoint: String?
    /// A known key's name, or a digest; nil: nobody said who.
    package let caller: String?
    /// As it was asked for; nil: none was.
    package let model: String?
    /// The vendor's name of the model that was called last.
    package var modelUsed: String?
    /// That was called last; nil: none was.
    package var provider: String?
    package var promptTokens = 0
    package var completionTokens = 0
    /// The vendor did not tell the tokens.
    package var isEstimated = false
    /// Whether the relay counted those tokens by the model's vocabulary. False: they are estimates, or the vendor's.
    package var isExact = false
    /// Nil: not known.
    package var cost: Cost?
    package var durationMilliseconds = 0
    /// Calls of candidates, and those that were repeated.
    package var attempts = 0
    package var isStreamed = false
    /// The answer was kept from an earlier request.
    package var isCached = false
    package var isSuccess = false
    /// The answer's, or of a call the vendor's; nil: there was none.
    package var status: Int?
    package var error: String?

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
    /// The number of records that it stands for.
    var count: Int { if case .requestWithCall = subject { 2 } else { 1 } }

    var isOfRequest: Bool { if case .call = subject { false } else { true } }

    /// The call's own record, for those who keep it apart from its request's.
    var onlyCall: UsageRecord? {
        guard case .requestWithCall(let own) = subject else { return nil }
        var call = self
        call.subject = .call(key: own.key, credits: own.credits)
        call.timeMilliseconds = own.timeMilliseconds
        call.durationMilliseconds = own.durationMilliseconds
        (call.attempts, call.isStreamed, call.isCached) = (0, false, false)
        return call
    }
}

extension ArraySlice<UsageRecord> {
    /// The number of records that these stand for.
    var recordCount: Int {
        let records = span
        var count = 0
        for place in records.indices { count += records[place].count }
        return count
    }
}
