import Engine

/// A limit: the amount that callers may use in any interval as long as a window, over all instances.
///
/// Two limits with the same `id` are the same limit: instances with equal settings count into the same records, and a
/// changed limit starts anew.
package final class Limit: Sendable, Hashable {
    /// Whom and what it covers.
    package enum Kind: Sendable, Hashable {
        /// Each caller, one group of endpoints.
        case caller(EndpointGroup)
        /// A known key; without a group all endpoints together.
        case key(EndpointGroup?)
        /// Each caller and requested model name.
        case model
        /// All callers together.
        case total
        /// Wrong keys of each address.
        case failedAuth
        /// Calls with each key of a provider.
        case provider
        /// Logins of the operator from each address.
        case login
    }

    package let kind: Kind
    package let quota: Quota
    /// Kind, unit, number and window in the characters of a store key.
    package let id: String
    package let grid: Grid
    /// The first words of the id's digest; a record's key is made of them and the identity's.
    let words: (UInt64, UInt64)
    /// Whether buckets that have left a record are counted for as long as units of them may have been used late.
    let countsLeft: Bool

    package convenience init(_ kind: Kind, _ quota: Quota, spareBuckets: Int = 2) {
        self.init(kind, quota, Grid(windowSeconds: quota.windowSeconds, spareBuckets: spareBuckets))
    }

    /// Creates a limit that counts in the buckets of another grid; for tests.
    ///
    /// - Parameter countsLeft: whether buckets that have left the record count; false shows what happens without them.
    init(_ kind: Kind, _ quota: Quota, _ grid: Grid, countsLeft: Bool = true, id: String? = nil) {
        self.kind = kind
        self.quota = quota
        self.id = id ?? "\(kind.name).\(quota.unit.rawValue).\(quota.count).\(quota.windowSeconds)"
        self.grid = grid
        self.countsLeft = countsLeft
        let (first, second, _, _) = Digest(of: self.id).words
        words = (first, second)
    }

    /// A record that is no caller's, by an id of its own.
    convenience init(_ id: String, _ unit: Quota.Unit) {
        let quota = Quota(Quota.countBound, unit, per: .second)
        self.init(.total, quota, Grid(windowSeconds: quota.windowSeconds), id: id)
    }

    package static func == (one: Limit, other: Limit) -> Bool { one === other || one.id == other.id }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Endpoints that are limited together.
package enum EndpointGroup: String, Sendable, Hashable, CaseIterable {
    case chat
    case images
    case audio
    case files
    case models
}

extension EndpointGroup {
    /// The units that requests of the group use.
    package var units: Set<Quota.Unit> {
        switch self {
        // A chat may name a model that makes images.
        case .chat: [.requests, .tokens, .images, .usd, .credits, .concurrent]
        case .images: [.requests, .tokens, .images, .usd, .credits, .concurrent]
        case .audio: [.requests, .tokens, .usd, .credits, .concurrent]
        case .files, .models: [.requests, .concurrent]
        }
    }
}

extension Limit.Kind {
    /// As in store keys and metrics: `chat`, `key.chat`, `key`, `model`, `total`, `auth`, `provider`, `login`.
    package var name: String {
        switch self {
        case .caller(let group): group.rawValue
        case .key(let group): group.map { "key.\($0.rawValue)" } ?? "key"
        case .model: "model"
        case .total: "total"
        case .failedAuth: "auth"
        case .provider: "provider"
        case .login: "login"
        }
    }

    /// The row of a counter.
    var place: Int {
        switch self {
        case .caller: 0
        case .key: 1
        case .model: 2
        case .total: 3
        case .failedAuth: 4
        case .provider: 5
        case .login: 6
        }
    }

    package static let places = ["caller", "key", "model", "total", "auth", "provider", "login"]

    /// The rule for the store's absence where it is not the setting's: guesses at the operator's password are always
    /// limited. Nil: that of the setting.
    var ruleWithoutStore: StoreDownRule? { self == .login ? .share : nil }
}
