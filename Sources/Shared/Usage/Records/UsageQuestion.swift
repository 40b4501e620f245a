/// A question of an operator at the command line, about the records of the last days.
package struct UsageQuestion: Sendable, Equatable {
    package enum Group: String, CaseIterable, Sendable {
        /// The caller.
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
    /// The number of days, with today.
    package let days: Int

    /// The most groups that are listed.
    static let mostRows = 1_000

    package init(by group: Group, days: Int) {
        self.group = group
        self.days = days
    }

    /// Whether calls are counted: a request names the provider that was asked last, and has the sum of all.
    package var isOfCalls: Bool { group == .provider }

    /// The question for sums.
    func query(today: Day) -> UsageQuery {
        UsageQuery(by: [group.dimension], from: today.adding(days: 1 - days))
    }
}

/// The response to a question.
package struct UsageSummary: Sendable {
    package struct Row: Sendable, Equatable {
        /// The name of the group; nil: the records have none.
        package let name: String?
        package let figures: UsageFigures
    }

    /// The first and the last day that count.
    package let first: Day
    package let last: Day
    /// The zone in which days begin.
    package let zone: String
    package var rows: [Row] = []
    package var total = UsageFigures()
    /// Whether there are more groups than are listed.
    package var isCut = false
    /// Lines that are no records.
    package var badLines = 0

    package init(_ question: UsageQuestion, in zone: DayZone) {
        last = zone.today
        first = last.adding(days: 1 - question.days)
        self.zone = zone.name
    }

    /// - Parameter table: the response to the question's query.
    init(_ question: UsageQuestion, in zone: DayZone, _ table: UsageTable) {
        self.init(question, in: zone)
        total = table.sum
        isCut = table.rows.count > UsageQuestion.mostRows
        rows = table.rows.prefix(UsageQuestion.mostRows).map { Row(name: $0.values.first ?? nil, figures: $0.figures) }
    }
}
