import Engine

/// Reads the usage records in a PostgreSQL database for the `usage` command.
enum PostgresReading {
    private static let connectSeconds = 10
    private static let timeoutMilliseconds = 120_000

    /// Returns why the server cannot be used; nil if it can.
    static func problem(url: String) -> String? {
        do throws(UsageFailure) {
            let address = try PostgresStore.address(url)
            do throws(PostgresFailure) {
                _ = try PostgresConnection.open(address, connectSeconds: 3, timeoutMilliseconds: 3_000)
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
        try read(url: url) { (connection) throws(PostgresFailure) in
            let state = try PostgresState(connection)
            guard let query = question.query(today: state.zone.today) else {
                return try sessions(question, state.zone, connection)
            }
            let isSummed = state.lastPartialDay.map { $0 < query.first?.number ?? .min } ?? true
            let table =
                isSummed ? try state.sums(query, connection) : try records(query, state.zone, connection: connection)
            return UsageSummary(question, in: state.zone, table)
        }
    }

    /// Returns the records of the upstream calls of the requests with this id.
    static func calls(ofRequest id: String, url: String) throws(UsageFailure) -> [UsageRecord] {
        try read(url: url) { (connection) throws(PostgresFailure) in
            let names = UsageSchema.columns.joined(separator: ",")
            let table = "\(UsageSchema.postgresTable) WHERE request_id = $1 AND kind = 1 ORDER BY process, number"
            return try connection.run("SELECT \(names) FROM \(table)", PostgresValues([.text(id)]))
                .map { UsageRecord(PostgresRow(columns: $0)) }
        } ?? []
    }

    /// Calls `body` in a transaction. Returns nil if the database has no tables of a relay.
    private static func read<Result>(
        url: String,
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(UsageFailure) -> Result? {
        let address = try PostgresStore.address(url)
        do throws(PostgresFailure) {
            let connection = try PostgresConnection.open(
                address,
                connectSeconds: connectSeconds,
                timeoutMilliseconds: timeoutMilliseconds
            )
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

    private static func sessions(
        _ question: UsageReportQuery,
        _ zone: DayZone,
        _ connection: PostgresConnection
    ) throws(PostgresFailure) -> UsageSummary {
        var summary = UsageSummary(question, in: zone)
        let start = zone.startMilliseconds(of: summary.first)
        let table = "\(UsageSchema.postgresTable) WHERE time >= \(start)"
        let rows = UnstoredSumsSQL.rows(from: table, byCause: question.group == .cause)
        for columns in try connection.run(rows) { summary.add(PostgresRow(columns: columns), of: question) }
        summary.set(summary.rows, of: question)
        return summary
    }

    private static func has(_ table: String, _ connection: PostgresConnection) throws(PostgresFailure) -> Bool {
        let found = try connection.run("SELECT to_regclass('\(table)')").first?.first ?? nil
        return found != nil
    }

    /// Computes the sums from the usage records, without the stored daily sums.
    private static func records(
        _ query: UsageQuery,
        _ zone: DayZone,
        connection: PostgresConnection
    ) throws(PostgresFailure) -> UsageTable {
        let start = query.first.map { zone.startMilliseconds(of: $0) } ?? 0
        let table = "\(UsageSchema.postgresTable) WHERE time >= \(start)"
        let newest = try connection.run("SELECT max(time) FROM \(table)").first?.first ?? nil
        let days = PostgresValues()
        DayStarts(zone, from: start, to: newest.flatMap { Int($0) } ?? start).append(to: days)
        let found = try connection.run(
            PostgresSumsSQL.select(from: table, span: PostgresSumsSQL.day(starts: "$1", days: "$2")),
            days
        )
        return UsageTable(query, found.map { UsageSum.row(PostgresRow(columns: $0), at: 1) })
    }
}

/// The state of the stored daily sums: their time zone, and the days that might lack records.
struct PostgresState {
    let zone: DayZone
    /// The last day whose sums might lack records, in days since 1970; nil if there is none.
    let lastPartialDay: Int?

    /// The number of days that are added to the day of the newest record that the sums lack. The newest record is found
    /// by its number, so another one can have a later time.
    private static let slackDays = 1

    init(_ connection: PostgresConnection) throws(PostgresFailure) {
        let name = try connection.run("SELECT zone FROM \(PostgresSumsSQL.zone)").first?.first ?? nil
        let newest = try connection.run("SELECT max(time) FROM (\(PostgresSumsSQL.unsummed)) AS unsummed").first?.first
        let zone = DayZone(named: name ?? "UTC")
        self.zone = zone
        lastPartialDay = (newest ?? nil).flatMap { Int($0) }
            .map { zone.day(atMilliseconds: $0).number + Self.slackDays }
    }

    func sums(_ query: UsageQuery, _ connection: PostgresConnection) throws(PostgresFailure) -> UsageTable {
        let sql = UsageTableSQL(query, .postgres)
        var table = UsageTable()
        if let sum = try connection.run(sql.sum, PostgresValues(sql.values)).first {
            table.sum = UsageTableSQL.figures(PostgresRow(columns: sum), at: 0)
        }
        for row in try connection.run(sql.rows, PostgresValues(sql.values)) {
            table.append(sql.row(PostgresRow(columns: row), partialUntil: lastPartialDay))
        }
        table.isPartial = sql.isPartial(until: lastPartialDay)
        return table
    }
}
