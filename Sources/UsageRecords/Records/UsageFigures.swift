package import Engine
import Shared

/// The sums of several usage records, either of requests or of upstream calls.
package struct UsageFigures: Sendable, Equatable {
    package var requests = 0
    package var failed = 0
    package var promptTokens = 0
    package var completionTokens = 0
    /// The number of records with known cost.
    private var costs = 0
    /// The sum of all costs, each rounded down. `costRestPicodollars` is the sum of the cut parts.
    private var costMicrodollars = 0
    private var costRestPicodollars = 0
    package var cachedTokens = 0
    package var cacheWrites = 0
    /// The part of `cacheWrites` that vendors keep for an hour.
    package var longCacheWrites = 0
    /// The number of records that reached a vendor and have no known cost.
    package var unpriced = 0
    /// The number of records that a vendor or the relay failed to serve.
    package var failures = 0
    /// The number of records that a limit of the relay refused.
    package var refusals = 0

    package init() {}

    /// A number of the sums, in the database and in this type.
    struct Column: Sendable {
        let name: String
        /// The name in the sums of upstream calls.
        let callName: String
        let path: any WritableKeyPath<UsageFigures, Int> & Sendable
        /// The SQL condition of the records that are counted; nil for all of them, and if a number is summed.
        private let condition: String?
        /// The SQL expression that is summed up; nil if records are counted.
        private let number: String?

        fileprivate init(
            _ name: String,
            _ path: any WritableKeyPath<UsageFigures, Int> & Sendable,
            ofCalls callName: String? = nil,
            count condition: String? = nil,
            sum number: String? = nil
        ) {
            (self.name, self.callName, self.path) = (name, callName ?? "call_\(name)", path)
            (self.condition, self.number) = (condition, number)
        }

        /// Returns the SQL expression for the sum over the records that meet a condition. It needs the columns of
        /// `FilterSQL.sumConditions`.
        func sql(of kind: String? = nil) -> String {
            let all = [kind, condition].compactMap(\.self)
            let filter = all.isEmpty ? "" : " FILTER (WHERE \(all.joined(separator: " AND ")))"
            return number.map { "coalesce(sum(\($0))\(filter), 0)" } ?? "count(*)\(filter)"
        }
    }

    /// The columns of stored sums. The total of all costs is `cost` (in microdollars) plus `cost_rest` (in
    /// picodollars).
    static let columns = [
        Column("requests", \.requests, ofCalls: "calls"),
        Column("failed", \.failed, ofCalls: "failed_calls", count: "NOT success"),
        Column("prompt_tokens", \.promptTokens, sum: "prompt_tokens"),
        Column("completion_tokens", \.completionTokens, sum: "completion_tokens"),
        Column("costs", \.costs, count: "cost IS NOT NULL"),
        Column("cost", \.costMicrodollars, sum: "cost / \(costScale)"),
        Column("cost_rest", \.costRestPicodollars, sum: "cost % \(costScale)"),
        Column("cached_tokens", \.cachedTokens, sum: "cached_tokens"),
        Column("cache_writes", \.cacheWrites, sum: "cache_writes"),
        Column("cache_writes_1h", \.longCacheWrites, sum: "cache_writes_1h"),
        Column("unpriced", \.unpriced, ofCalls: "unpriced_calls", count: "unpriced"),
        Column("failures", \.failures, count: "is_failure"), Column("refusals", \.refusals, count: "is_refusal"),
    ]

    private static let costScale = 1_000_000

    /// Adds a record to the sums (`sign` is 1), or subtracts it (-1).
    mutating func add(_ record: UsageRecord, _ sign: Int = 1) {
        // This runs for each record, and key paths are slow.
        requests &+= sign
        if !record.isSuccess { failed &+= sign }
        promptTokens &+= sign * record.keptPromptTokens
        completionTokens &+= sign * record.keptCompletionTokens
        cachedTokens &+= sign * record.keptCachedTokens
        cacheWrites &+= sign * record.keptCacheWrites
        longCacheWrites &+= sign * record.keptLongCacheWrites
        if record.isUnpriced { unpriced &+= sign }
        if record.isFailure { failures &+= sign }
        if record.isRefusal { refusals &+= sign }
        guard let cost = record.cost?.picodollars else { return }
        costs &+= sign
        costMicrodollars &+= sign * (cost / Self.costScale)
        costRestPicodollars &+= sign * (cost % Self.costScale)
    }

    package static func += (sum: inout UsageFigures, more: UsageFigures) {
        for column in columns { sum[keyPath: column.path] &+= more[keyPath: column.path] }
    }

    /// Reads the sums from the columns of a database row, from index `first`.
    init(_ row: some UsageRow, at first: Int) {
        for (index, column) in Self.columns.enumerated() {
            self[keyPath: column.path] = row.number(at: first + index) ?? 0
        }
    }

    /// The sum of all known costs; nil if no cost is known.
    package var costPicodollars: Int128? {
        get { costs > 0 ? Int128(costMicrodollars) * Int128(Self.costScale) + Int128(costRestPicodollars) : nil }
        set {
            costs = newValue == nil ? 0 : 1
            let (whole, rest) = (newValue ?? 0).quotientAndRemainder(dividingBy: Int128(Self.costScale))
            (costMicrodollars, costRestPicodollars) = (Int(clamping: whole), Int(rest))
        }
    }

    /// The cost in dollars with all decimals; nil if no cost is known.
    package var dollars: String? {
        guard let cost = costPicodollars else { return nil }
        let scale = 1_000_000_000_000
        let (whole, rest) = cost.magnitude.quotientAndRemainder(dividingBy: UInt128(scale))
        return (cost < 0 ? "-" : "") + String(decimal: Int(clamping: whole), rest: Int(rest), of: scale)
    }

    /// The number of records that failed because the request was invalid, or its client left.
    package var clientErrors: Int { failed - failures - refusals }

    /// The cost in dollars as a JSON number; `null` if no cost is known.
    package var costNumber: JSONFragment { JSONFragment(stringLiteral: dollars ?? "null") }

    /// Whether `cost` lacks the cost of some records because it is unknown.
    package var isCostPartial: Bool { unpriced > 0 }

    /// The cost for people, such as `0.5`, or `≥ 0.5` if it is partial; empty if no cost is known.
    package var costText: String { dollars.map { isCostPartial ? "≥ \($0)" : $0 } ?? "" }

    /// The members of JSON objects for failed requests, tokens and cost, and for details.
    package var members: [(name: String, value: JSONFragment)] {
        [
            ("failed", "\(failed)"), ("prompt_tokens", "\(promptTokens)"),
            ("completion_tokens", "\(completionTokens)"), ("cost", costNumber),
        ] + details
    }

    /// The members of JSON objects beside requests, tokens and cost: those that are not zero.
    package var details: [(name: String, value: JSONFragment)] {
        let shown = Self.details.filter { self[keyPath: $0.path] != 0 }
            .map { (name: $0.name, value: "\(self[keyPath: $0.path])" as JSONFragment) }
        return shown + (isCostPartial ? [(name: "cost_is_partial", value: "true")] : [])
    }

    private static let details = columns.filter {
        ["cached_tokens", "cache_writes", "cache_writes_1h", "unpriced"].contains($0.name)
    }
    package static let cellNames =
        ["requests", "failed", "prompt_tokens", "completion_tokens", "cost"] + details.map(\.name)

    /// The sums as cells of a table.
    package var cells: [String] {
        ["\(requests)", "\(failed)", "\(promptTokens)", "\(completionTokens)", dollars ?? ""]
            + Self.details.map { "\(self[keyPath: $0.path])" }
    }
}
