import Engine

/// A limit: the number of units that callers can use within a window. All instances count together.
///
/// Limits with the same `id` are equal and share their records, whatever their numbers are.
package final class Limit: Sendable, Hashable {
    /// The callers and requests that a limit covers.
    package enum Kind: Sendable, Hashable {
        /// A limit for each caller, for one group of endpoints.
        case caller(EndpointGroup)
        /// A limit for each known caller, for one group of endpoints; for all endpoints together if the group is nil.
        case key(EndpointGroup?)
        /// A limit that the known callers of one group share, for one group of endpoints; for all endpoints together if
        /// it is nil.
        case group(EndpointGroup?)
        /// A limit for each pair of a caller and a requested model name.
        case model
        /// A limit for all callers together.
        case total
        /// A limit for the failed authentications from each address.
        case failedAuth
        /// A limit for the upstream calls with each key of a provider.
        case provider
        /// A limit for the operator logins from each address.
        case login
        /// A limit for each caller's looks at its own limits and usage.
        case usage
        /// A limit for each session of each caller.
        case session
        /// A limit for each end user of each known caller.
        case user
    }

    package let kind: Kind
    package let quota: Quota
    /// The name of the group of callers that share the limit; nil for limits of other kinds.
    package let group: String?
    /// The period of the calendar that the limit counts; nil if it has a sliding window.
    package let period: CalendarPeriod?
    /// The id of the limit: its kind, unit and window, as text for store keys. A limit whose number changes keeps it.
    package let id: String
    /// The kind, the group and the quota of the limit as text for readers: `group eng: 60 requests per minute`.
    package let text: String
    /// The name of the limit in the `RateLimit` headers: `"minute"`, `"10-seconds"` or `"minute-tokens"`.
    package let policyName: String
    /// The limit in the header `RateLimit-Policy`: `"minute";q=60;w=60`.
    package let policy: String
    package let layout: BucketLayout
    /// Whether a full limit can be waited for: not slots, of which nobody knows when they are free, nor the next day or month.
    var canBeWaitedFor: Bool { !quota.isCalendar && quota.unit != .concurrent }
    /// Whether different callers use the same units.
    var isOfSeveralCallers: Bool {
        switch kind {
        case .total, .group: true
        case .caller, .key, .model, .failedAuth, .provider, .login, .usage, .session, .user: false
        }
    }
    /// Whether a database keeps copies of the limit's records: those of a day or longer, but none of wrong keys, logins,
    /// vendors, looks at usage, and what clients name.
    let isCopied: Bool
    /// The first two 64-bit words of the digest of `id`. They become a part of each `RecordKey`.
    let words: (UInt64, UInt64)
    /// Whether units still count for a while after the record has dropped their bucket. See `ExpiredBuckets`.
    let countsExpiredBuckets: Bool

    package convenience init(
        _ kind: Kind,
        _ quota: Quota,
        spareBuckets: Int = 2,
        ofGroup group: String? = nil,
        in period: CalendarPeriod? = nil
    ) {
        let layout = BucketLayout(windowSeconds: quota.recordSeconds, spareBuckets: spareBuckets)
        self.init(kind, quota, layout: layout, scope: (group, period))
    }

    /// Creates a limit with its own division into buckets.
    /// - Parameters:
    ///   - countsExpiredBuckets: whether units count for a while after the record has dropped their bucket.
    ///   - scope: the group of callers that share the limit, and the period that the limit counts.
    init(
        _ kind: Kind,
        _ quota: Quota,
        layout: BucketLayout,
        countsExpiredBuckets: Bool = true,
        id: String? = nil,
        scope: (group: String?, period: CalendarPeriod?) = (nil, nil)
    ) {
        self.kind = kind
        self.quota = quota
        (group, period) = scope
        self.id = id ?? "\(kind.name).\(quota.unit.rawValue).\(scope.period?.name ?? "\(quota.windowSeconds)")"
        text = "\(kind.name)\(group.map { " \($0)" } ?? ""): \(quota.textWithUnit)"
        policyName = quota.policyName
        policy = quota.policy(windowSeconds: scope.period?.seconds ?? quota.windowSeconds)
        self.layout = layout
        isCopied = kind.isCopied && quota.unit != .concurrent && quota.windowSeconds >= Quota.TimeUnit.day.rawValue
        self.countsExpiredBuckets = countsExpiredBuckets
        let (first, second, _, _) = Digest(of: self.id).words
        words = (first, second)
    }

    /// Creates a limit with the given id, for a record that belongs to no caller.
    convenience init(_ id: String, _ unit: Quota.Unit) {
        let quota = Quota(Quota.countBound, unit, per: .second)
        self.init(.total, quota, layout: BucketLayout(windowSeconds: quota.windowSeconds), id: id)
    }

    /// The seconds of the limit's window, or of its period of the calendar.
    package var windowSeconds: Int { period?.seconds ?? quota.windowSeconds }

    /// The id of the limit in earlier versions of the relay, which contains the limit's number.
    var formerID: String {
        "\(kind.name).\(quota.unit.rawValue).\(quota.count).\(period?.name ?? "\(quota.windowSeconds)")"
    }

    /// Returns the time until the limit is unused, in microseconds: to the end of the period if the limit has one.
    func reset(_ microseconds: Int, at time: Int) -> Int { period?.leftMicroseconds(at: time) ?? microseconds }

    /// Returns the seconds for which the store keeps the limit's record after a write.
    func expirySeconds(slotMicroseconds: Int) -> Int {
        max(10, 2 * max(quota.windowSeconds, slotMicroseconds / 1_000_000))
    }

    package static func == (one: Limit, other: Limit) -> Bool { one === other || one.id == other.id }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

package enum EndpointGroup: String, Sendable, Hashable, CaseIterable {
    case chat
    case images
    case audio
    case files
    case models

    /// The kinds of units that requests of the group can use, such as tokens or images.
    package var units: Set<Quota.Unit> {
        switch self {
        // A chat request may name an image model.
        case .chat: [.requests, .tokens, .images, .usd, .credits, .concurrent]
        case .images: [.requests, .tokens, .images, .usd, .credits, .concurrent]
        case .audio: [.requests, .tokens, .usd, .credits, .concurrent]
        case .files, .models: [.requests, .concurrent]
        }
    }
}

extension Limit.Kind {
    /// The name of the kind in store keys and metrics, such as `chat` or `key.chat`.
    package var name: String {
        switch self {
        case .caller(let group): group.rawValue
        case .key(let group): group.map { "key.\($0.rawValue)" } ?? "key"
        case .group(let endpoints): endpoints.map { "group.\($0.rawValue)" } ?? "group"
        case .model: "model"
        case .total: "total"
        case .failedAuth: "auth"
        case .provider: "provider"
        case .login: "login"
        case .usage: "usage"
        case .session: "session"
        case .user: "user"
        }
    }

    /// Whether clients choose the names of what the limit covers, such as sessions.
    package var isNamedByClients: Bool { self == .session || self == .user }

    fileprivate var isCopied: Bool {
        switch self {
        case .caller, .key, .group, .model, .total: true
        case .failedAuth, .provider, .login, .usage, .session, .user: false
        }
    }

    /// The index of this kind in `names`, from 0. `LimiterMetrics` counts decisions by this index.
    var index: Int {
        switch self {
        case .caller: 0
        case .key: 1
        case .model: 2
        case .total: 3
        case .failedAuth: 4
        case .provider: 5
        case .login: 6
        case .group: 7
        case .usage: 8
        case .session: 9
        case .user: 10
        }
    }

    package static let names = [
        "caller", "key", "model", "total", "auth", "provider", "login", "group", "usage", "session", "user",
    ]
}
