/// A query of the `usage` command for the records of the last days.
package struct UsageReportQuery: Sendable, Equatable {
    package enum Group: String, CaseIterable, Sendable {
        /// The caller, by the name of its key.
        case key
        case model
        case provider
        case day

        fileprivate var dimension: UsageQuery.Dimension {
            switch self {
            case .key: .caller
            case .model: .model
            case .provider: .provider
            case .day: .day
            }
        }
    }

    package let group: Group
    /// The number of days, including today.
    package let days: Int

    /// The largest number of groups in the result.
    static let maxRows = 1_000

    package init(by group: Group, days: Int) {
        self.group = group
        self.days = days
    }

    /// Whether calls are counted. The record of a request only names the last provider, but has the sum of all calls.
    package var isOfCalls: Bool { group == .provider }

    /// Returns the query for sums.
    func query(today: Day) -> UsageQuery {
        UsageQuery(by: [group.dimension], from: today.adding(days: 1 - days))
    }
}

/// The result of a `UsageReportQuery`.
package struct UsageSummary: Sendable {
    package struct Row: Sendable, Equatable {
        /// The name of the group; nil: the records have no value.
        package let name: String?
        package let figures: UsageFigures
    }

    /// The first day of the result; `last` is the last one.
    package let first: Day
    package let last: Day
    /// The name of the time zone whose days are used.
    package let zone: String
    package var rows: [Row] = []
    package var total = UsageFigures()
    /// Whether there are more groups than `rows` contains.
    package var isCut = false
    /// The number of lines in files that are not records.
    package var badLines = 0

    package init(_ question: UsageReportQuery, in zone: DayZone) {
        last = zone.today
        first = last.adding(days: 1 - question.days)
        self.zone = zone.name
    }

    /// - Parameter table: the result of the question's query.
    init(_ question: UsageReportQuery, in zone: DayZone, _ table: UsageTable) {
        self.init(question, in: zone)
        total = table.sum
        isCut = table.rows.count > UsageReportQuery.maxRows
        rows = table.rows.prefix(UsageReportQuery.maxRows).map {
            Row(name: $0.values.first ?? nil, figures: $0.figures)
        }
    }
}
