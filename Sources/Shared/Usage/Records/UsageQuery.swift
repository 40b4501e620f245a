package import Engine

/// A query for sums of stored records, grouped by one to three of their fields.
package struct UsageQuery: Sendable, Equatable {
    package enum Dimension: String, CaseIterable, Sendable {
        case day
        case model
        case caller
        case provider
        case endpoint
    }

    /// The fields to group by: one to three, each once.
    package let dimensions: [Dimension]
    /// The first day to include; nil: the first day with records.
    package let first: Day?
    /// The last day to include; nil: today.
    package let last: Day?
    /// The caller whose records are included; nil: all callers.
    package let caller: String?

    /// The largest number of rows in a result.
    package static let maxRows = 10_000

    package init(by dimensions: [Dimension], from first: Day? = nil, to last: Day? = nil, caller: String? = nil) {
        self.dimensions = dimensions
        self.first = first
        self.last = last
        self.caller = caller
    }

    /// Whether calls are counted instead of requests, since the record of a request only names its last provider.
    package var countsCalls: Bool { dimensions.contains(.provider) }
}

/// The result of a query for sums.
package struct UsageTable: Sendable {
    package struct Row: Sendable {
        /// The value of each field of the query, days as `2026-01-31`; nil: the records have no value.
        package let values: [String?]
        package let figures: UsageFigures
        /// Whether records that are not in the sums yet may belong to this row.
        package let isPartial: Bool
    }

    /// The rows, sorted by day and then by size, the largest first.
    package var rows: [Row] = []
    /// The sum of all rows, including those that exceed `maxRows`.
    package var sum = UsageFigures()
    /// Whether the sums may lack records, because some are not in the sums yet or the time ended.
    package var isPartial = false
    /// Whether there are more rows than `rows` contains.
    package var isCut = false

    package init() {}
}

/// The sums of records of requests, or of calls.
package struct UsageFigures: Sendable, Equatable {
    package var requests = 0
    package var failed = 0
    package var promptTokens = 0
    package var completionTokens = 0
    /// The sum of all known costs, in 10^-12 dollars; nil if no cost is known.
    package var cost: Int128?

    package init() {}

    /// The cost in dollars with all decimals; nil if no cost is known.
    package var dollars: String? {
        guard let cost else { return nil }
        let scale: Int128 = 1_000_000_000_000
        let (whole, rest) = (cost.magnitude / scale.magnitude, cost.magnitude % scale.magnitude)
        var decimals = String(String(scale.magnitude + rest).dropFirst())
        while decimals.last == "0" { decimals.removeLast() }
        return (cost < 0 ? "-" : "") + (decimals.isEmpty ? "\(whole)" : "\(whole).\(decimals)")
    }

    static func += (sum: inout UsageFigures, more: UsageFigures) {
        sum.requests &+= more.requests
        sum.failed &+= more.failed
        sum.promptTokens &+= more.promptTokens
        sum.completionTokens &+= more.completionTokens
        if let cost = more.cost { sum.cost = (sum.cost ?? 0) &+ cost }
    }
}

extension UsageFigures {
    /// The cost in dollars as a JSON number; `null` if no cost is known.
    package var costNumber: JSONFragment { JSONFragment(stringLiteral: dollars ?? "null") }
}

/// The figures of stored records for an overview.
package struct UsageOverview: Sendable {
    package struct Minute: Sendable, Equatable {
        /// The start of the minute, in milliseconds since 1970.
        package let startMilliseconds: Int
        package var requests = 0
        /// The number of failed requests.
        package var errors = 0
    }

    /// The last sixty minutes, the oldest first. The last one is still running.
    package var minutes: [Minute] = []
    package var today = UsageFigures()
    package var yesterday = UsageFigures()
    package var isPartial = false

    package init() {}
}
