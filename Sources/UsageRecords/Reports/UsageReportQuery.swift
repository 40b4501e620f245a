package import Shared

/// A query of the `usage` command: sums of the usage records of the last days.
package struct UsageReportQuery: Sendable, Equatable {
    package enum Group: String, CaseIterable, Sendable {
        /// One group for each caller, by name.
        case caller
        /// The older name of `caller`.
        case key
        /// One group for each group of callers, and one for all callers without a group.
        case group
        case model
        case provider
        case day
        /// One group for each session of each caller, and one for the requests without a session.
        case session
        /// One group for each end user of each caller, and one for the requests that name none.
        case user
        /// One group for each kind of causes of failures, those that budgets ended or lowered, and one for all other
        /// requests.
        case cause
    }

    package let group: Group
    /// The number of days, including today.
    package let days: Int
    /// The groups of each caller or family that has some, by its name, for sums by group.
    private let groups: [String: [String]]

    /// The largest number of rows in the result, one for each group.
    fileprivate static let maxRows = 1_000

    package init(by group: Group, days: Int, groups: [String: [String]] = [:]) {
        self.group = group
        self.days = days
        self.groups = groups
    }

    /// Returns the rows of callers as rows of their groups, and those of causes as rows of their kinds, the largest first.
    /// A caller of several groups counts in each.
    fileprivate func grouped(_ rows: [UsageSummary.Row]) -> [UsageSummary.Row] {
        guard group == .group || group == .cause else { return rows }
        var sums: [String?: UsageFigures] = [:]
        for row in rows {
            for name in names(of: row) { sums[name, default: UsageFigures()] += row.figures }
        }
        return sums.map { UsageSummary.Row(name: $0, figures: $1) }
            .sorted { ($1.figures.requests, $0.name ?? "") < ($0.figures.requests, $1.name ?? "") }
    }

    private func names(of row: UsageSummary.Row) -> [String?] {
        guard let name = row.name else { return [nil] }
        if group == .cause { return [UsageRecord.kind(ofCause: name)] }
        let found = groups[name] ?? groups[String(name.prefix { $0 != "." })] ?? []
        return found.isEmpty ? [nil] : found
    }

    /// Whether the rows have callers besides their groups.
    package var hasCallers: Bool { group == .session || group == .user }

    /// Whether the sums are of upstream calls, not of requests; true if they are grouped by provider.
    package var isOfCalls: Bool { group == .provider }

    /// Converts this query to a `UsageQuery` for the stored sums, up to the day `today`. Returns nil if the sums are not
    /// grouped by this group.
    func query(today: Day) -> UsageQuery? {
        UsageQuery.Dimension(rawValue: [.key, .group].contains(group) ? "caller" : group.rawValue)
            .map { UsageQuery(by: [$0], from: today.adding(days: 1 - days)) }
    }
}

/// The sums that the `usage` command prints, which are the result of a `UsageReportQuery`.
package struct UsageSummary: Sendable {
    package struct Row: Sendable, Equatable {
        /// The name of the group, such as a caller's name; nil for records without such a name.
        package let name: String?
        /// The caller of a session or end user; nil for other groups and if the caller is anonymous.
        package var caller: String?
        package let figures: UsageFigures
    }

    /// The first day whose records are summed up.
    package let first: Day
    package let last: Day
    /// The name of the time zone in which days are counted.
    package let zone: String
    package var rows: [Row] = []
    package var total = UsageFigures()
    /// Whether the result has more groups than `rows` contains.
    package var isCut = false
    /// The number of invalid lines in the usage files; 0 for a database.
    package var badLines = 0

    package init(_ question: UsageReportQuery, in zone: DayZone) {
        last = zone.today
        first = last.adding(days: 1 - question.days)
        self.zone = zone.name
    }

    /// Creates the summary from `table`, the result of the query that `question.query` returns.
    init(_ question: UsageReportQuery, in zone: DayZone, _ table: UsageTable) {
        self.init(question, in: zone)
        total = table.sum
        set(table.rows.map { Row(name: $0.values.first ?? nil, figures: $0.figures) }, of: question)
    }

    /// Adds the row of a session or cause. `row` has the columns of `UnstoredSumsSQL`.
    mutating func add(_ row: some UsageRow, of question: UsageReportQuery) {
        let figures = UsageFigures(row, at: 2)
        total += figures
        // The sessions with the most requests come first. Kinds of causes are made of all causes.
        guard question.group == .cause || rows.count <= UsageReportQuery.maxRows else { return }
        rows.append(Row(name: row.text(at: 0), caller: row.text(at: 1), figures: figures))
    }

    /// Sets the rows to the largest ones of the question's groups.
    mutating func set(_ all: [Row], of question: UsageReportQuery) {
        let all = question.grouped(all)
        isCut = isCut || all.count > UsageReportQuery.maxRows
        rows = Array(all.prefix(UsageReportQuery.maxRows))
    }
}
