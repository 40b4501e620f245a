package import Shared

/// A text field by which sums of usage records are grouped.
package enum UsageField: String, CaseIterable, Sendable {
    case caller
    /// The model that the request named.
    case model
    /// The name of the provider that the request called last.
    case provider
    /// The name of the route, as in the metrics, such as `/chat/completions`.
    case endpoint
}

/// A query for sums of usage records, grouped by one to three fields.
package struct UsageQuery: Sendable, Equatable {
    package enum Dimension: String, CaseIterable, Sendable {
        case day
        case model
        case caller
        case provider
        case endpoint

        /// The text field of the dimension; nil for days.
        var field: UsageField? { UsageField(rawValue: rawValue) }
    }

    /// The fields by which the sums are grouped: one to three different fields.
    package let dimensions: [Dimension]
    /// The first day that the query includes; nil for the first day that has records.
    package let first: Day?
    /// The last day that the query includes; nil for today.
    package let last: Day?
    /// The caller whose records the query includes; nil for all callers.
    package let caller: String?

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
}

/// The numbers of requests that ended in a minute, by the number of the minute since 1970.
typealias MinuteCounts = [Int: UsageOverview.Counts]

extension UsageOverview.Counts {
    static func += (sum: inout Self, more: Self) {
        sum.requests += more.requests
        sum.errors += more.errors
        sum.failures += more.failures
        sum.refusals += more.refusals
        sum.budgets += more.budgets
    }
}
