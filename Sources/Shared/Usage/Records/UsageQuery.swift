package import Engine

/// A question for sums of kept records, by up to three of their fields.
package struct UsageQuery: Sendable, Equatable {
    package enum Dimension: String, CaseIterable, Sendable {
        case day
        case model
        case caller
        case provider
        case endpoint
    }

    /// One to three, each once.
    package let dimensions: [Dimension]
    /// The first day that counts; nil: the first that has records.
    package let first: Day?
    /// The last day that counts; nil: today.
    package let last: Day?
    /// The caller whose records count; nil: all do.
    package let caller: String?

    /// The most rows of a response.
    package static let maxRows = 10_000

    package init(by dimensions: [Dimension], from first: Day? = nil, to last: Day? = nil, caller: String? = nil) {
        self.dimensions = dimensions
        self.first = first
        self.last = last
        self.caller = caller
    }

    /// Whether calls are counted in place of requests: the record of a request names its last provider only.
    package var countsCalls: Bool { dimensions.contains(.provider) }
}

/// Sums of kept records.
package struct UsageTable: Sendable {
    package struct Row: Sendable {
        /// A text for each dimension of the query, of days as `2026-01-31`; nil: the records have none.
        package let values: [String?]
        package let figures: UsageFigures
        /// Whether records that are not in the sums yet may belong to the row.
        package let isPartial: Bool
    }

    /// The rows by day, and within a day or without one the largest first.
    package var rows: [Row] = []
    /// The sum over all rows, also over those that `rows` has no room for.
    package var sum = UsageFigures()
    /// Whether records that are not in the sums yet may belong to a row, or the time was over before all were read.
    package var isPartial = false
    /// Whether there are more rows than are listed.
    package var isCut = false

    package init() {}
}

/// Sums of the records of requests, or of calls.
package struct UsageFigures: Sendable, Equatable {
    package var requests = 0
    package var failed = 0
    package var promptTokens = 0
    package var completionTokens = 0
    /// The sum of all known costs, in 10^-12 dollars; nil if none is known.
    package var cost: Int128?

    package init() {}

    /// The cost in dollars with all decimals; nil if none is known.
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
    /// The cost in dollars as a number of JSON; `null` if none is known.
    package var costNumber: JSONFragment { JSONFragment(stringLiteral: dollars ?? "null") }
}

/// The figures of kept records that an overview shows.
package struct UsageOverview: Sendable {
    package struct Minute: Sendable, Equatable {
        /// The start of the minute, in milliseconds since 1970.
        package let startMilliseconds: Int
        package var requests = 0
        /// The requests that failed.
        package var errors = 0
    }

    /// The last sixty minutes, the oldest first; the last one is not over.
    package var minutes: [Minute] = []
    package var today = UsageFigures()
    package var yesterday = UsageFigures()
    package var isPartial = false

    package init() {}
}
