package import Engine

/// A query for sums of usage records, grouped by one to three fields.
package struct UsageQuery: Sendable, Equatable {
    package enum Dimension: String, CaseIterable, Sendable {
        case day
        case model
        case caller
        case provider
        case endpoint
    }

    /// The fields by which the sums are grouped: one to three different fields.
    package let dimensions: [Dimension]
    /// The first day that the query includes; nil for the first day that has records.
    package let first: Day?
    /// The last day that the query includes; nil for today.
    package let last: Day?
    /// The caller whose records the query includes; nil for all callers.
    package let caller: String?

    /// The largest number of rows in a result.
    package static let maxRows = 10_000

    package init(by dimensions: [Dimension], from first: Day? = nil, to last: Day? = nil, caller: String? = nil) {
        self.dimensions = dimensions
        self.first = first
        self.last = last
        self.caller = caller
    }

    /// Whether upstream calls are summed up instead of requests, as for sums by provider.
    package var countsCalls: Bool { dimensions.contains(.provider) }
}

/// The sums of usage records, which are the result of a `UsageQuery`.
package struct UsageTable: Sendable {
    package struct Row: Sendable {
        /// The value of each grouping field, such as `2026-01-31`; nil if the records have no value.
        package let values: [String?]
        package let figures: UsageFigures
        /// Whether this row may lack records that are not in the daily sums yet.
        package let isPartial: Bool
    }

    /// The rows, sorted by day, then by the number of requests, largest first.
    package var rows: [Row] = []
    /// The sum of all rows, including those that exceed `maxRows`.
    package var sum = UsageFigures()
    /// Whether the result might be incomplete, because the daily sums lack records or the query's time limit has
    /// passed.
    package var isPartial = false
    /// Whether the result has more rows than `rows` contains.
    package var isCut = false

    package init() {}
}

/// The sums of several usage records, either of requests or of upstream calls.
package struct UsageFigures: Sendable, Equatable {
    package var requests = 0
    package var failed = 0
    package var promptTokens = 0
    package var completionTokens = 0
    package var cachedTokens = 0
    package var cacheWrites = 0
    /// The part of `cacheWrites` that vendors keep for an hour.
    package var longCacheWrites = 0
    /// The number of records that reached a vendor and have no known cost.
    package var unpriced = 0
    /// The number of records that failed with a status of 500 or above.
    package var failures = 0
    /// The number of records that a limit refused (429).
    package var refusals = 0
    /// The sum of all known costs, in 10^-12 dollars; nil if no cost is known.
    package var cost: Int128?

    package init() {}

    /// The cost in dollars with all decimals; nil if no cost is known.
    package var dollars: String? {
        guard let cost else { return nil }
        let scale = 1_000_000_000_000
        let (whole, rest) = cost.magnitude.quotientAndRemainder(dividingBy: UInt128(scale))
        return (cost < 0 ? "-" : "") + String(decimal: Int(clamping: whole), rest: Int(rest), of: scale)
    }

    package static func += (sum: inout UsageFigures, more: UsageFigures) {
        sum.requests &+= more.requests
        sum.failed &+= more.failed
        sum.promptTokens &+= more.promptTokens
        sum.completionTokens &+= more.completionTokens
        sum.cachedTokens &+= more.cachedTokens
        sum.cacheWrites &+= more.cacheWrites
        sum.longCacheWrites &+= more.longCacheWrites
        sum.unpriced &+= more.unpriced
        sum.failures &+= more.failures
        sum.refusals &+= more.refusals
        if let cost = more.cost { sum.cost = (sum.cost ?? 0) &+ cost }
    }

    /// The number of records that failed because the request was invalid, or its client left.
    package var clientErrors: Int { failed - failures - refusals }

    /// The cost in dollars as a JSON number; `null` if no cost is known.
    package var costNumber: JSONFragment { JSONFragment(stringLiteral: dollars ?? "null") }

    /// Whether `cost` lacks the cost of some records because it is unknown.
    package var isCostPartial: Bool { unpriced > 0 }

    /// The cost for people, such as `0.5`, or `≥ 0.5` if it is partial; empty if no cost is known.
    package var costText: String { dollars.map { isCostPartial ? "≥ \($0)" : $0 } ?? "" }

    /// The members of JSON objects beside requests, tokens and cost: those that are not zero.
    package var details: [(name: String, value: JSONFragment)] {
        let counts = [
            ("cached_tokens", cachedTokens), ("cache_writes", cacheWrites), ("cache_writes_1h", longCacheWrites),
            ("unpriced", unpriced),
        ]
        let shown = counts.filter { $0.1 != 0 }.map { (name: $0.0, value: "\($0.1)" as JSONFragment) }
        return shown + (isCostPartial ? [(name: "cost_is_partial", value: "true")] : [])
    }
}

/// The usage overview of the admin pages: the requests in each minute of the last hour, and the sums of today and
/// yesterday.
package struct UsageOverview: Sendable {
    package struct Minute: Sendable, Equatable {
        /// The start of the minute, in milliseconds since 1970.
        package let startMilliseconds: Int
        package var counts = Counts()
    }

    /// The numbers of requests that ended in some time.
    package struct Counts: Sendable, Equatable {
        package var requests = 0
        /// The number of all failed requests.
        package var errors = 0
        /// The number of failed requests that a provider or the relay failed to serve (5xx).
        package var failures = 0
        /// The number of failed requests that a limit refused (429).
        package var refusals = 0
        /// The number of responses that budgets ended, or whose bound they lowered.
        package var budgets = 0
    }

    /// The last sixty minutes, oldest first. The last minute has not ended yet.
    package var minutes: [Minute] = []
    package var today = UsageFigures()
    package var yesterday = UsageFigures()
    package var isPartial = false

    package init() {}
}
