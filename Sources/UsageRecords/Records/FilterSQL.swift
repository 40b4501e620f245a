import Engine
import Shared

/// The conditions of an SQL `WHERE` clause with numbered parameters, and the values of the parameters.
struct FilterSQL {
    enum Dialect {
        case sqlite
        case postgres
    }

    enum Value {
        case number(Int)
        case text(String)
    }

    private let dialect: Dialect
    private var conditions: [String] = []
    private(set) var values: [Value] = []

    init(_ dialect: Dialect) { self.dialect = dialect }

    /// The name of an SQL function that the relay adds to SQLite. It returns whether one of several texts contains the
    /// keywords. Its first argument is the keywords in lower case; the other arguments are the texts.
    static let keywordsFunction = "has_keywords"

    var condition: String {
        if conditions.isEmpty { return dialect == .sqlite ? "1" : "TRUE" }
        return conditions.map { "(\($0))" }.joined(separator: " AND ")
    }

    /// The condition of failed requests that a provider or the relay failed to serve. A vendor without credit, or with a
    /// rate limit of its own, has failed.
    static let isFailure = "(status >= 500 OR status IN (402, 429) AND provider IS NOT NULL)"
    /// The condition of failed requests that a limit of the relay refused.
    static let isRefusal = "(status = 429 AND provider IS NULL)"

    /// The SQL columns that the expressions of sums (`UsageFigures.Column`) need beside those of records.
    static let sumConditions = """
        cost IS NULL AND provider IS NOT NULL AS unpriced, NOT success AND \(isFailure) AS is_failure, \
        NOT success AND \(isRefusal) AS is_refusal
        """

    /// The condition of responses that a budget ended, or whose bound it lowered.
    static let isOfBudget = "(error = '\(UsageRecord.budgetCause)' OR lowered_max_tokens IS NOT NULL)"

    private var hasFailed: String { dialect == .sqlite ? "success = 0" : "NOT success" }

    mutating func add(_ condition: String) { conditions.append(condition) }

    /// Adds a condition with a parameter. `condition` receives the parameter's name, such as `$1`, and returns SQL.
    mutating func add(_ value: Value, _ condition: (String) -> String) {
        values.append(value)
        conditions.append(condition((dialect == .sqlite ? "?" : "$") + "\(values.count)"))
    }

    /// Adds a comparison of a column with a number. Does nothing if the number is nil.
    mutating func add(_ column: String, _ comparison: String = "=", number: Int?) {
        if let number { add(.number(number)) { "\(column) \(comparison) \($0)" } }
    }

    mutating func add(_ column: String, _ text: String?) {
        if let text { add(.text(text)) { "\(column) = \($0)" } }
    }

    /// Adds a filter's conditions for the table of records. The filter's `before` adds no condition.
    ///
    /// The first parameter is the filter's session, if it has one.
    mutating func add(_ filter: RecordFilter) {
        add("session", filter.session)
        add("end_user", filter.endUser)
        for field in UsageField.allCases { add(field.rawValue, filter[field]) }
        switch filter.outcome {
        case .completed: add(dialect == .sqlite ? "success = 1" : "success")
        case .failed: add(hasFailed)
        case .failure: add("\(hasFailed) AND \(Self.isFailure)")
        case .refusal: add("\(hasFailed) AND \(Self.isRefusal)")
        case .clientError:
            add("\(hasFailed) AND status BETWEEN 400 AND 499 AND NOT \(Self.isFailure) AND NOT \(Self.isRefusal)")
        case .budget: add(Self.isOfBudget)
        case .status(let status): add("status", "=", number: status)
        case nil: break
        }
        add("time", ">=", number: filter.fromMilliseconds)
        add("time", "<", number: filter.toMilliseconds)
        add("cost", ">=", number: filter.minCost?.picodollars)
        add("duration_ms", ">=", number: filter.minDurationMilliseconds)
        guard let keywords = filter.keywords else { return }
        let columns = "request_id, caller, model, provider, endpoint, error"
        add(.text(String(decoding: KeywordSearch(keywords).lowercased, as: UTF8.self))) { [dialect] name in
            switch dialect {
            case .sqlite: "\(Self.keywordsFunction)(\(name), \(columns))"
            // One search in all texts takes a third of the time of an ILIKE for each. They are separated by a control
            // character that nobody searches for. With the collation C, `lower` changes ASCII letters only.
            case .postgres: "strpos(lower(concat_ws(chr(31), \(columns)) COLLATE \"C\"), \(name)) > 0"
            }
        }
    }

    /// Adds the filter's texts, as the keys of sums have them.
    mutating func add(summed filter: RecordFilter) {
        for field in UsageField.allCases {
            add(field.rawValue, filter[field].map { $0.beginning(ofBytes: SumKey.textBound) })
        }
    }

    /// Adds a filter's conditions for a query of the daily sums. Days without matching records can also meet these
    /// conditions.
    /// - Parameter days: the days on which the filter's times fall, counted since 1970; nil if the filter has no times.
    mutating func add(_ filter: RecordFilter, days: ClosedRange<Int>?) {
        add("omitted = \((SumsTable.days.omitted(keeping: filter.fields) ?? []).rawValue)")
        add(summed: filter)
        add("day", ">=", number: days?.lowerBound)
        add("day", "<=", number: days?.upperBound)
        switch filter.outcome {
        case .completed: add("requests > failed")
        case .failed, .failure, .refusal, .clientError: add("failed > 0")
        case .status(let status): add((200..<400).contains(status) ? "requests > failed" : "failed > 0")
        case .budget, nil: add("requests > 0")
        }
    }
}

extension RecordOrder {
    /// The column by which the records are sorted; nil if they are sorted by id.
    var column: UsageColumn? { name.flatMap { name in UsageColumn.stored.first { $0.name == name } } }

    private var name: String? {
        switch self {
        case .id: nil
        case .promptTokens: "prompt_tokens"
        case .completionTokens: "completion_tokens"
        case .endpoint: "endpoint"
        case .caller: "caller"
        case .provider: "provider"
        case .cost: "cost"
        case .duration: "duration_ms"
        case .time, .model, .status: rawValue
        }
    }

    /// Whether the records are sorted by a text, such as the model, and not by a number.
    var isText: Bool { column?.postgresType == "text" }
}

extension RecordFilter {
    /// Returns the range of days into which the filter's times fall, in days since 1970; nil if the filter has no
    /// times.
    func days(in zone: DayZone) -> ClosedRange<Int>? {
        guard fromMilliseconds != nil || toMilliseconds != nil else { return nil }
        let first = fromMilliseconds.map { zone.day(atMilliseconds: $0).number } ?? Int(Int32.min)
        let last = toMilliseconds.map { zone.day(atMilliseconds: $0 &- 1).number } ?? Int(Int32.max)
        return first...max(first, last)
    }

    /// Whether the exact number of matching records can be computed from the daily sums.
    var isCountedBySums: Bool {
        if readsRecords || session != nil || endUser != nil || before != nil || fromMilliseconds != nil
            || toMilliseconds != nil
        {
            return false
        }
        // The sums count only all failed requests together.
        guard [nil, .completed, .failed].contains(outcome) else { return false }
        // The sums do not distinguish an empty text from a missing one.
        return !texts.values.contains { $0.isEmpty || $0.utf8.count > SumKey.textBound }
    }
}
