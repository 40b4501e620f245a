package import Shared

/// The usage record of a finished request, of an upstream call, or of a request together with its only upstream call.
///
/// It never contains a key. The texts of prompts and responses are in `FinishedRequest.bodies`.
package struct UsageRecord: Sendable {
    package enum Subject: Sendable {
        case request
        /// The record of an upstream call. `key` names the provider's credential; nil for a caller's key or no key.
        /// `credits` are the credits that the vendor reported.
        case call(key: String?, credits: Int?)
        /// The record of a request and its only upstream call. `OnlyCall` contains the call's own time, duration,
        /// credential name and credits.
        case requestWithCall(OnlyCall)
    }

    package struct OnlyCall: Sendable {
        let timeMilliseconds: Int
        var durationMilliseconds: Int
        var key: String?
        var credits: Int?

        package init(at timeMilliseconds: Int, durationMilliseconds: Int, key: String?, credits: Int?) {
            self.timeMilliseconds = timeMilliseconds
            self.durationMilliseconds = durationMilliseconds
            self.key = key
            self.credits = credits
        }
    }

    /// The time at which the request or the call ended, in milliseconds since 1970.
    package internal(set) var timeMilliseconds: Int
    package var subject: Subject
    package internal(set) var requestID: String
    /// The name of the route, such as `/chat/completions`; nil if the route is unknown.
    package internal(set) var endpoint: String?
    /// The known caller's name, or a part of a passthrough key's digest; nil if the caller is anonymous.
    package internal(set) var caller: String?
    /// The model that the request named; nil if it named no model.
    package var model: String?
    /// The model that was called last, by the vendor's name for it.
    package var modelUsed: String?
    /// The name of the provider that was called last; nil if no provider was called.
    package var provider: String?
    /// The tokens and other priced units of the request or the call.
    package var usage = Usage.nothing
    /// The cost of the request or the call; nil if it is unknown.
    package var cost: Cost?
    /// The source of the bill of an upstream call; nil if its cost is unknown, and for requests without their call.
    package var bill: (any BillSource)?
    package var durationMilliseconds = 0
    /// The number of upstream calls, including retries.
    package var attempts = 0
    package var isStreamed = false
    /// Whether the response came from the cache.
    package var isCached = false
    package var isSuccess = false
    /// The HTTP status of the response to the client, or of the vendor's response to a call; nil without a response.
    package var status: Int?
    package var error: String?
    /// The time from the request's start to the response's first byte, in milliseconds; nil for upstream calls, for
    /// requests without a response, and for records that an older version of the relay wrote.
    package var firstByteMilliseconds: Int?
    /// The time for which the request waited because of rate limits, in milliseconds.
    package var limitsWaitMilliseconds = 0
    /// The time for which the request waited until a provider had capacity, in milliseconds.
    package var capacityWaitMilliseconds = 0
    /// The names of the limits that counted the request, separated by `; `; nil if there are none.
    package var limits: String?
    /// The name of the agent's session that the request belongs to; nil for upstream calls and without a session.
    package var session: String?
    /// The end user that the request names, or a digest of the name; nil if `USAGE_USERS` records none.
    package var endUser: String?
    /// Whether the body of a client's Messages request was written anew for a vendor of the same API.
    package var isRebuilt = false
    /// The bound that the vendor got in place of the request's own, because budgets pay no more; nil for upstream calls
    /// and if none was lowered.
    package var loweredMaxTokens: Int?
}

extension UsageRecord {
    /// Creates a record with these values. All other properties are zero, false or nil.
    ///
    /// It calls another initializer, because Swift would copy the large struct if it set the properties itself.
    package init(
        at timeMilliseconds: Int,
        _ subject: Subject,
        requestID: String,
        endpoint: String?,
        caller: String?,
        model: String?,
        modelUsed: String? = nil,
        provider: String? = nil,
        error: String? = nil,
        limits: String? = nil,
        session: String? = nil
    ) {
        self.init(
            timeMilliseconds: timeMilliseconds,
            subject: subject,
            requestID: requestID,
            endpoint: endpoint,
            caller: caller,
            model: model,
            modelUsed: modelUsed,
            provider: provider,
            error: error,
            limits: limits,
            session: session
        )
    }

    package var promptTokens: Int {
        get { usage.promptTokens }
        set { usage.promptTokens = newValue }
    }

    package var completionTokens: Int {
        get { usage.completionTokens }
        set { usage.completionTokens = newValue }
    }

    /// Whether the relay counted or estimated the tokens because the vendor did not report them.
    package var isEstimated: Bool {
        get { usage.isEstimated }
        set { usage.isEstimated = newValue }
    }

    /// Whether the relay counted the tokens exactly. False for estimates and for the vendor's numbers.
    package var isExact: Bool {
        get { usage.isExact }
        set { usage.isExact = newValue }
    }

    /// Whether the cost lacks uses of hosted tools, which have no price, or is that of the plain tier.
    package var isCostPartial: Bool {
        cost != nil && usage.hasDetails && bill?.lacksPrices(of: usage.toolUses) ?? false
    }

    /// Whether a vendor was called, and the cost is unknown.
    var isUnpriced: Bool { cost == nil && provider != nil }

    /// The number of records in this value: 2 for a request with its only call, otherwise 1.
    var count: Int { if case .requestWithCall = subject { 2 } else { 1 } }

    var isOfRequest: Bool { if case .call = subject { false } else { true } }

    /// Whether the record is of an upstream call, or combines a request with its only call.
    var hasCall: Bool { if case .request = subject { false } else { true } }

    /// The request's only upstream call as a separate record; nil unless this record combines a request with its only
    /// call.
    var onlyCall: UsageRecord? {
        guard case .requestWithCall(let own) = subject else { return nil }
        var call = self
        call.subject = .call(key: own.key, credits: own.credits)
        call.timeMilliseconds = own.timeMilliseconds
        call.durationMilliseconds = own.durationMilliseconds
        for column in UsageColumn.ofRequest { column.clear(&call) }
        return call
    }

    /// The credential that an upstream call used; nil for a caller's key or no key, and for requests.
    package internal(set) var key: String? {
        get { if case .call(let key, _) = subject { key } else { nil } }
        set { if case .call(_, let credits) = subject { subject = .call(key: newValue, credits: credits) } }
    }

    /// The credits that the vendor of an upstream call reported; nil if it reported none, and for requests.
    var credits: Int? {
        get { if case .call(_, let credits) = subject { credits } else { nil } }
        set { if case .call(let key, _) = subject { subject = .call(key: key, credits: newValue) } }
    }

    /// The time, duration, credential and credits of the request's only call; nil if this record combines none.
    var combined: OnlyCall? {
        get { if case .requestWithCall(let call) = subject { call } else { nil } }
        set { if let newValue { subject = .requestWithCall(newValue) } }
    }
}

/// A finished request and its upstream calls, as usage records.
///
/// It is an object, so that no queue copies the large records.
package final class FinishedRequest: Sendable {
    /// The usage record of the request. If the request made only one upstream call, the record can include that call.
    let record: UsageRecord
    /// The usage records of the upstream calls that `record` does not contain, in the order in which they ended.
    let calls: [UsageRecord]
    /// The bodies of the request and its response; nil if bodies are not kept.
    let bodies: KeptBodies?

    package init(_ record: UsageRecord, calls: [UsageRecord] = [], bodies: KeptBodies? = nil) {
        self.record = record
        self.calls = calls
        self.bodies = bodies
    }

    /// The number of records: one for the request and one for each upstream call.
    var recordCount: Int { record.count + calls.count }

    /// One record for the request and one for each upstream call, the request's first.
    var records: [UsageRecord] { [record] + (record.onlyCall.map { [$0] } ?? []) + calls }
}

extension ArraySlice<FinishedRequest> {
    /// The number of records of all these requests and their upstream calls.
    var recordCount: Int { reduce(0) { $0 + $1.recordCount } }
}
