import Engine

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
    package private(set) var timeMilliseconds: Int
    package var subject: Subject
    package private(set) var requestID: String
    /// The name of the route, such as `/chat/completions`; nil if the route is unknown.
    package private(set) var endpoint: String?
    /// The known caller's name, or a part of a passthrough key's digest; nil if the caller is anonymous.
    package private(set) var caller: String?
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
    package private(set) var key: String? {
        get { if case .call(let key, _) = subject { key } else { nil } }
        set { if case .call(_, let credits) = subject { subject = .call(key: newValue, credits: credits) } }
    }

    /// The credits that the vendor of an upstream call reported; nil if it reported none, and for requests.
    private var credits: Int? {
        get { if case .call(_, let credits) = subject { credits } else { nil } }
        set { if case .call(let key, _) = subject { subject = .call(key: key, credits: newValue) } }
    }

    /// The time, duration, credential and credits of the request's only call; nil if this record combines none.
    private var combined: OnlyCall? {
        get { if case .requestWithCall(let call) = subject { call } else { nil } }
        set { if let newValue { subject = .requestWithCall(newValue) } }
    }
}

extension UsageRecord {
    /// The columns of a usage record, in the order of lines of JSON. Money is in 10^-12 dollars, `time` in milliseconds
    /// since 1970. `kind` is 0 for a request and 1 for an upstream call. `call_before_ms` is the time from the end of the
    /// only call to the end of its request; NULL if the row has no call.
    static let columns: [UsageColumn] = ofRequestAndCall + ofUse + ofOutcome + ofOnlyCall

    private static let ofRequestAndCall: [UsageColumn] = [
        UsageColumn("time", .number(\.timeMilliseconds) { $0.timeMilliseconds = $1 ?? 0 }, [.unwritten, .summed]),
        UsageColumn(
            "kind",
            .number({ $0.isOfRequest ? 0 : 1 }) { if $1 == 1 { $0.subject = .call(key: nil, credits: nil) } },
            [.ofCall, .summed],
            type: "smallint"
        )
        .written { _ in "\"call\"" },
        UsageColumn("request_id", .text(\.requestID) { $0.requestID = $1 ?? "" }, .held),
        UsageColumn("endpoint", .text(\.endpoint) { $0.endpoint = $1 }, .summed),
        UsageColumn("caller", .text(\.caller) { $0.caller = $1 }, [.held, .summed]),
        UsageColumn("session", .text(\.session) { $0.session = $1 }, [.ofRequest, .held, .sparse, .listed]),
        UsageColumn("end_user", .text(\.endUser) { $0.endUser = $1 }, [.ofRequest, .held, .sparse, .listed])
            .added(as: 1, member: "user"),
        UsageColumn("model", .text(\.model) { $0.model = $1 }, [.held, .summed]),
        UsageColumn("model_used", .text(\.modelUsed) { $0.modelUsed = $1 }, .held),
        UsageColumn("provider", .text(\.provider) { $0.provider = $1 }, .summed),
        UsageColumn("key", .text(\.key) { $0.key = $1 }, .ofCall),
    ]

    private static let ofUse: [UsageColumn] = [
        UsageColumn("prompt_tokens", .number(\.keptPromptTokens) { $0.promptTokens = $1 ?? 0 }, .summed),
        UsageColumn("completion_tokens", .number(\.keptCompletionTokens) { $0.completionTokens = $1 ?? 0 }, .summed),
        UsageColumn("tokens", .number({ $0.keptPromptTokens + $0.keptCompletionTokens }) { _, _ in }, .derived),
        UsageColumn(
            "cached_tokens",
            .number(\.keptCachedTokens) { $0.usage.cachedTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn(
            "cache_writes",
            .number(\.keptCacheWrites) { $0.usage.cacheWriteTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn(
            "cache_writes_1h",
            .number(\.keptLongCacheWrites) { $0.usage.longCacheWriteTokens = $1 ?? 0 },
            [.summed, .sparse]
        ),
        UsageColumn("service_tier", .text({ $0.usage.serviceTier?.rawValue }, setServiceTier), .sparse),
        UsageColumn("tool_uses", .text({ $0.usage.toolUses.text }, setToolUses))
            .written { $0.usage.toolUses.json.map { JSONFragment(stringLiteral: $0) } },
        UsageColumn("cost", .number({ $0.cost?.millionths }) { $0.cost = $1.map { Cost(millionths: $0) } }, .summed)
            .written { JSONFragment(stringLiteral: $0.cost?.text ?? "null") },
        UsageColumn("credits", .number(\.credits) { $0.credits = $1 }, .ofCall).written { $0.credits.map { "\($0)" } },
        UsageColumn("bill", .text({ $0.bill?.bill }) { $0.bill = $1.map { StoredBill($0) } }, .unwritten),
    ]

    @Sendable private static func setServiceTier(_ record: inout UsageRecord, _ word: String?) {
        record.usage.serviceTier = word.flatMap { ServiceTier(word: $0) }
    }

    @Sendable private static func setToolUses(_ record: inout UsageRecord, _ text: String?) {
        if let text { record.usage.toolUses = ToolUses(text: text) }
    }

    private static let ofOutcome: [UsageColumn] = [
        UsageColumn("duration_ms", .number(\.durationMilliseconds) { $0.durationMilliseconds = $1 ?? 0 }, .summed),
        UsageColumn("attempts", .number(\.attempts) { $0.attempts = $1 ?? 0 }, .ofRequest),
        UsageColumn("stream", .flag(\.isStreamed) { $0.isStreamed = $1 }, .ofRequest),
        UsageColumn("cached", .flag(\.isCached) { $0.isCached = $1 }, .ofRequest),
        UsageColumn("success", .flag(\.isSuccess) { $0.isSuccess = $1 }, .summed),
        UsageColumn("status", .number(\.keptStatus) { $0.status = $1 }, .summed, type: "integer"),
        UsageColumn("error", .text(\.error) { $0.error = $1 }, .held),
        UsageColumn(
            "first_byte_ms",
            .number(\.firstByteMilliseconds) { $0.firstByteMilliseconds = $1 },
            [.ofRequest, .unwritten, .summed]
        ),
        UsageColumn(
            "limits_wait_ms",
            .number({ $0.isOfRequest ? $0.limitsWaitMilliseconds : nil }) { $0.limitsWaitMilliseconds = $1 ?? 0 },
            [.ofRequest, .unwritten]
        ),
        UsageColumn(
            "capacity_wait_ms",
            .number({ $0.isOfRequest ? $0.capacityWaitMilliseconds : nil }) { $0.capacityWaitMilliseconds = $1 ?? 0 },
            [.ofRequest, .unwritten]
        ),
        UsageColumn("limits", .text(\.limits) { $0.limits = $1 }, [.ofRequest, .unwritten, .held]),
        UsageColumn(
            "lowered_max_tokens",
            .number(\.loweredMaxTokens) { $0.loweredMaxTokens = $1 },
            [.ofRequest, .sparse, .listed]
        ),
        UsageColumn("rebuilt", .flag(\.isRebuilt) { $0.isRebuilt = $1 }, [.sparse, .listed]),
        UsageColumn("cost_is_partial", .flag(\.isCostPartial) { _, _ in }, [.sparse, .derived]),
        UsageColumn("exact", .flag({ $0.isEstimated && $0.isExact }) { _, _ in }, [.sparse, .derived]),
        UsageColumn("estimated", .flag(\.isEstimated) { $0.isEstimated = $1 }, .sparse),
    ]

    private static let ofOnlyCall: [UsageColumn] = [
        UsageColumn("call_before_ms", .number(\.callBeforeMilliseconds, setCall), [.onlyCall, .unwritten, .summed]),
        UsageColumn(
            "call_duration_ms",
            .number({ $0.combined?.durationMilliseconds }) { $0.combined?.durationMilliseconds = $1 ?? 0 },
            [.onlyCall, .unwritten]
        ),
        UsageColumn("call_key", .text({ $0.combined?.key }) { $0.combined?.key = $1 }, [.onlyCall, .unwritten]),
        UsageColumn(
            "call_credits",
            .number({ $0.combined?.credits }) { $0.combined?.credits = $1 },
            [.onlyCall, .unwritten]
        ),
    ]

    private var callBeforeMilliseconds: Int? { combined.map { timeMilliseconds - $0.timeMilliseconds } }

    @Sendable private static func setCall(_ record: inout UsageRecord, before: Int?) {
        guard let before, record.isOfRequest else { return }
        let time = record.timeMilliseconds &- before
        record.combined = OnlyCall(at: time, durationMilliseconds: 0, key: nil, credits: nil)
    }
}
