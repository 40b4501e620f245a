import Engine
import Shared

/// Reads the usage records in a PostgreSQL database for the `usage` command.
enum PostgresReading {
    private static let patience = PostgresConnection.Patience(connectSeconds: 10, statementMilliseconds: 120_000)

    /// Returns why the server cannot be used; nil if it can.
    static func problem(url: String) -> String? {
        do throws(UsageFailure) {
            let address = try PostgresStore.address(url)
            do throws(PostgresFailure) {
                _ = try PostgresConnection.open(address, .init(statementMilliseconds: 3_000))
                return nil
            } catch {
                return "\(error.text); correct USAGE_DATABASE_URL, or start the database"
            }
        } catch {
            return error.cause
        }
    }

    /// Returns the sums of the usage records; nil if the database has no tables of a relay.
    static func summary(url: String, _ question: UsageReportQuery) throws(UsageFailure) -> UsageSummary? {
        try read(url: url) { (connection) throws(PostgresFailure) in try connection.summary(question) }
    }

    /// Returns the records of the upstream calls of the requests with this id.
    static func calls(ofRequest id: String, url: String) throws(UsageFailure) -> [UsageRecord] {
        try read(url: url) { (connection) throws(PostgresFailure) in
            let names = UsageColumn.stored.names
            let table = "\(UsageSchema.postgresTable) WHERE request_id = $1 AND kind = 1 ORDER BY process, number"
            return try connection.run("SELECT \(names) FROM \(table)", PostgresValues([.text(id)]))
                .map { UsageColumn.stored.record(PostgresRow(columns: $0)) }
        } ?? []
    }

    /// Calls `body` in a transaction. Returns nil if the database has no tables of a relay.
    private static func read<Result>(
        url: String,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(UsageFailure) -> Result? {
        let address = try PostgresStore.address(url)
        do throws(PostgresFailure) {
            let connection = try PostgresConnection.open(address, patience)
            guard try has(UsageSchema.postgresTable, connection) else { return nil }
            guard try has(UsageSchema.postgresSums, connection) else {
                let text = "an older relay created the tables; start this relay once to update them"
                throw PostgresFailure(text: text)
            }
            // All queries see the database at one point in time.
            _ = try connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return try body(connection)
        } catch {
            throw UsageFailure("USAGE_DATABASE_URL: \(error.text)")
        }
    }

    private static func has(_ table: String, _ connection: PostgresConnection) throws(PostgresFailure) -> Bool {
        try connection.value("SELECT to_regclass('\(table)')") != nil
    }
}

extension PostgresConnection: UsageDatabase {
    static var dialect: FilterSQL.Dialect { .postgres }

    static func source(from milliseconds: Int) -> String {
        "\(UsageSchema.postgresTable) WHERE time >= \(milliseconds)"
    }

    func each(
        _ sql: String,
        _ values: [FilterSQL.Value],
        _ body: (PostgresRow) -> Void
    ) throws(PostgresFailure) {
        for columns in try run(sql, PostgresValues(values)) { body(PostgresRow(columns: columns)) }
    }

    func sumsState() throws(PostgresFailure) -> SumsState {
        let zone = DayZone(named: try value("SELECT zone FROM \(PostgresSumsSQL.zone)") ?? "UTC")
        let newest = try number("SELECT max(time) FROM (\(PostgresSumsSQL.unsummed)) AS unsummed")
        // The newest record is found by its number, so another one can be of the next day.
        let lastDay = newest.map { zone.day(atMilliseconds: $0).number + 1 }
        return SumsState(zone: zone, lastPartialDay: lastDay)
    }

    func unstoredTable(_ query: UsageQuery, _ zone: DayZone) throws(PostgresFailure) -> UsageTable {
        let start = query.first.map { zone.startMilliseconds(of: $0) } ?? 0
        let table = Self.source(from: start)
        let newest = try number("SELECT max(time) FROM \(table)") ?? start
        let days = DayStarts(zone, from: start, to: newest).values
        let found = try run(
            PostgresSumsSQL.select(from: table, span: PostgresSumsSQL.day(starts: "$1", days: "$2")),
            days
        )
        return UsageTable(query, found.map { UsageSum.row(PostgresRow(columns: $0), at: 1) })
    }
}
