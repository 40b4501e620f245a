import Shared

/// A connection to a database of usage records, with the queries that all databases answer alike.
protocol UsageDatabase {
    associatedtype Failure: UsageDatabaseFailure
    associatedtype Row: UsageRow

    static var dialect: FilterSQL.Dialect { get }

    /// Returns the SQL after `FROM` for the records that ended at a time or later.
    static func source(from milliseconds: Int) -> String

    /// Calls `body` with each row of a query.
    func each(_ sql: String, _ values: [FilterSQL.Value], _ body: (Row) -> Void) throws(Failure)

    func sumsState() throws(Failure) -> SumsState

    /// Computes the sums from the usage records, without the stored daily sums.
    func unstoredTable(_ query: UsageQuery, _ zone: DayZone) throws(Failure) -> UsageTable
}

/// The state of the stored daily sums.
struct SumsState {
    let zone: DayZone
    /// The last day whose sums might lack records, in days since 1970; nil if there is none.
    let lastPartialDay: Int?
}

protocol UsageDatabaseFailure: Error {
    /// Whether a statement was stopped because its time limit had passed.
    var isInterrupt: Bool { get }
}

extension UsageDatabase {
    /// Returns the sums for a query from the stored sums.
    func table(_ query: UsageQuery) throws(Failure) -> UsageTable {
        let day = try sumsState().lastPartialDay
        let sql = UsageTableSQL(query, Self.dialect)
        var table = UsageTable()
        do throws(Failure) {
            try each(sql.sum, sql.values) { table.sum = UsageFigures($0, at: 0) }
            try each(sql.rows, sql.values) { table.append(sql.row($0, partialUntil: day)) }
        } catch {
            guard error.isInterrupt else { throw error }
            table.isPartial = true
        }
        table.isPartial = table.isPartial || sql.isPartial(until: day)
        return table
    }

    /// Returns the sums of the `usage` command.
    func summary(_ question: UsageReportQuery) throws(Failure) -> UsageSummary {
        let state = try sumsState()
        let zone = state.zone
        if let query = question.query(today: zone.today) {
            let isSummed = state.lastPartialDay.map { $0 < query.first?.number ?? .min } ?? true
            let table = isSummed ? try table(query) : try unstoredTable(query, zone)
            return UsageSummary(question, in: zone, table)
        }
        var summary = UsageSummary(question, in: zone)
        let source = Self.source(from: zone.startMilliseconds(of: summary.first))
        try each(UnstoredSumsSQL.rows(from: source, by: question.group), []) { summary.add($0, of: question) }
        summary.set(summary.rows, of: question)
        return summary
    }

    /// Counts the requests that ended in each minute since a time. Returns nil if the time limit ended the query.
    func minutes(since start: Int) throws(Failure) -> MinuteCounts? {
        var found: MinuteCounts = [:]
        do throws(Failure) {
            try each(UnstoredSumsSQL.minutes(from: Self.source(from: start)), []) { row in
                found[row.number(at: 0) ?? 0] = UsageOverview.Counts(inRow: row)
            }
        } catch {
            guard error.isInterrupt else { throw error }
            return nil
        }
        return found
    }
}
