/// A question about the records of the last days, in UTC.
package struct UsageQuestion: Sendable, Equatable {
    package enum Group: String, CaseIterable, Sendable {
        /// A caller's.
        case key
        case model
        case provider
        case day
    }

    package let group: Group
    /// With today.
    package let days: Int
    package let first: Day

    /// The most groups that are told one by one.
    static let mostRows = 1_000

    package init(by group: Group, days: Int, today: Day = .today) {
        self.group = group
        self.days = days
        first = today.adding(days: 1 - days)
    }

    /// A request names the provider that was asked last, and has the sum of all; so providers are told by their calls.
    package var isOfCalls: Bool { group == .provider }

    /// Each row has the group's name first, or the number of the day since 1970.
    ///
    /// - Parameter source: the rows that it is about.
    func rows(from source: String) -> String {
        let order = group == .day ? "1" : "2 DESC, 1"
        return
            "SELECT \(name), \(Self.sums) FROM \(source) GROUP BY 1 ORDER BY \(order) LIMIT \(Self.mostRows + 1)"
    }

    func total(from source: String) -> String { "SELECT NULL, \(Self.sums) FROM \(source)" }

    /// Of the first day, since 1970.
    var startMilliseconds: Int { first.secondsSince1970 * 1_000 }

    private var name: String {
        switch group {
        case .key: "caller"
        case .model: "model"
        case .provider: "provider"
        case .day: "time / 86400000"
        }
    }

    /// Of costs in two parts, whose sums do not overflow.
    private static let sums = """
        count(*), count(*) FILTER (WHERE NOT success), sum(prompt_tokens), sum(completion_tokens), \
        sum(cost / 1000000), sum(cost % 1000000)
        """
}

/// The answer to a question.
package struct UsageSummary: Sendable {
    package struct Figures: Sendable, Equatable {
        package var requests = 0
        package var failed = 0
        package var promptTokens = 0
        package var completionTokens = 0
        /// Of 10^-12 dollars; nil: no cost is known.
        package var cost: Int128?

        package init() {}

        /// Dollars, all decimals; nil: no cost is known.
        package var dollars: String? {
            guard let cost else { return nil }
            let scale: Int128 = 1_000_000_000_000
            var decimals = String(String(scale + cost % scale).dropFirst())
            while decimals.last == "0" { decimals.removeLast() }
            return decimals.isEmpty ? "\(cost / scale)" : "\(cost / scale).\(decimals)"
        }
    }

    package struct Row: Sendable, Equatable {
        /// Nil: the records have none.
        package let name: String?
        package let figures: Figures
    }

    package var rows: [Row] = []
    package var total = Figures()
    /// There are more groups than are told.
    package var isCut = false
    /// Lines that are no records.
    package var badLines = 0

    package init() {}
}

extension UsageSummary {
    /// - Parameters:
    ///   - rows: of `UsageQuestion.rows`, as texts.
    ///   - total: of `UsageQuestion.total`.
    init(_ question: UsageQuestion, rows: [[String?]], total: [String?]) {
        self.total = Figures(total)
        isCut = rows.count > UsageQuestion.mostRows
        self.rows = rows.prefix(UsageQuestion.mostRows)
            .map { columns in
                var name = columns.first ?? nil
                if question.group == .day { name = name.flatMap { Int($0) }.map { Day(number: $0).text } }
                return Row(name: name, figures: Figures(columns))
            }
    }
}

extension UsageSummary.Figures {
    /// Of a row: the name first.
    fileprivate init(_ columns: [String?]) {
        // A database that answers fewer columns, or larger numbers, is not this program's.
        func text(_ place: Int) -> String? { place < columns.count ? columns[place] : nil }
        func number(_ place: Int) -> Int { text(place).flatMap { Int($0) } ?? 0 }
        requests = number(1)
        failed = number(2)
        promptTokens = number(3)
        completionTokens = number(4)
        cost = text(5).flatMap { Int64($0) }.map { Int128($0) * 1_000_000 + Int128(number(6)) }
    }
}

/// Places that tell what they have.
package enum UsageReading {
    /// Nil: there is nothing yet.
    package static func summary(
        of settings: UsageDatabaseSettings,
        _ question: UsageQuestion
    ) throws(UsageFailure) -> UsageSummary? {
        switch settings.place {
        case .folder(let folder): try SQLiteReading.summary(folder: folder, question)
        case .server(let url): try PostgresReading.summary(url: url, question)
        }
    }
}
