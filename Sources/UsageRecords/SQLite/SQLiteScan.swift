import Engine
import Shared

/// Reads the records in several ranges of ids, one record after the other.
struct SQLiteScan {
    private static let rowsPerCheck = 1_024

    private let query: RecordQuery
    private let ranges: [ClosedRange<Int>]
    private let database: SQLiteDatabase
    /// The id of the row that was read last; nil before the first row.
    private(set) var lastID: Int?

    init(_ query: RecordQuery, _ ranges: [ClosedRange<Int>], database: SQLiteDatabase) {
        self.query = query
        self.database = database
        self.ranges = query.readsNewestFirst ? ranges.reversed() : ranges
    }

    /// Adds the records that match the query to the collector. Returns true if the query's time limit passed before
    /// this was done.
    mutating func run(_ collector: inout PageCollector<Int>) throws(SQLiteFailure) -> Bool {
        var filter = FilterSQL(.sqlite)
        filter.add(query.filter)
        let (low, high) = ("?\(filter.values.count + 1)", "?\(filter.values.count + 2)")
        let column = query.order.column?.name ?? "0"
        let isText = query.order.isText
        var table = UsageSchema.sqliteTable
        var isOfIndex = "TRUE"
        if case .status(let status)? = query.filter.outcome, !(200..<400).contains(status) {
            table += " INDEXED BY records_failed"
            isOfIndex = "success = 0 AND status = \(status)"
        } else if query.filter.session != nil {
            table += " INDEXED BY records_session"
            isOfIndex = "session = ?1"
        }
        let statement = try database.prepare(
            """
            SELECT id, \(filter.condition), \(column) FROM \(table)
            WHERE id BETWEEN \(low) AND \(high) AND kind = 0 AND \(isOfIndex)
            ORDER BY id \(query.readsNewestFirst ? "DESC" : "")
            """
        )
        var count = 0
        do throws(SQLiteFailure) {
            for range in ranges {
                statement.bind(filter.values)
                statement.add(range.lowerBound)
                statement.add(range.upperBound)
                defer { statement.end() }
                while try statement.step() {
                    let id = statement.number(0) ?? 0
                    lastID = id
                    count += 1
                    if count % Self.rowsPerCheck == 0, collector.stops(at: .current()) { return false }
                    guard statement.number(1) == 1 else { continue }
                    collector.add(
                        id,
                        .init(number: isText ? nil : statement.number(2), text: isText ? statement.text(2) : nil)
                    )
                    if collector.isComplete { return false }
                }
            }
        } catch {
            guard error.isInterrupt else { throw error }
            return true
        }
        return false
    }
}
