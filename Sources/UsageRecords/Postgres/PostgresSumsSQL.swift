import Engine
import Shared

/// The SQL statements that maintain the daily sums in a PostgreSQL database.
///
/// Each relay process has its own rows of sums. The table `relay_usage_process` stores which records of a process the
/// sums include. Statements lock rows in the order of their keys, to prevent deadlocks.
enum PostgresSumsSQL {
    static let tables = [SumsTable.days, .hours]
    static let processes = "relay_usage_process"
    static let zone = "relay_usage_zone"
    /// The columns of usage records from which the daily sums are computed.
    static let inputs = UsageColumn.stored.filter { $0.traits.contains(.summed) }.map(\.name)
    static let inputNames = inputs.joined(separator: ", ")

    /// Returns a statement that adds records to a table of sums or subtracts them.
    /// - Parameters:
    ///   - source: the SQL after `FROM`, with the column `process` and the columns in `inputs`.
    ///   - starts: the name of the SQL parameter with the start times of days, such as `$1`; see `DayStarts`.
    ///   - days: the name of the SQL parameter with the numbers of these days.
    ///   - sign: `-` to subtract the records; empty to add them.
    static func add(
        to table: SumsTable,
        from source: String,
        starts: String,
        days: String,
        sign: String = ""
    ) -> String {
        let keys = table.keys.joined(separator: ", ")
        let columns = table.columns.joined(separator: ", ")
        let updates = table.columns.map { "\($0) = sums.\($0) + excluded.\($0)" }.joined(separator: ", ")
        let span =
            table.hasTimes ? "(time / \(UsageSums.hourMilliseconds))::integer" : Self.day(starts: starts, days: days)
        let select = select(table, from: source, span: span, sign: sign)
        let order = (2..<2 + table.keys.count).map { "\($0)" }.joined(separator: ", ")
        return """
            INSERT INTO \(table.postgresName) AS sums (process, \(keys), \(columns)) \(select) ORDER BY \(order), 1 \
            ON CONFLICT (\(keys), process) DO UPDATE SET \(updates)
            """
    }

    /// Returns the SQL expression for the day of a record; see `DayStarts`.
    static func day(starts: String, days: String) -> String {
        "(\(days)::integer[])[width_bucket(time, \(starts)::bigint[])]"
    }

    /// Returns a query that sums up records. Its columns are `process`, the omitted fields, the span, the texts, then
    /// those of `SumsTable.columns`.
    /// - Parameters:
    ///   - table: the table for which records are summed up; nil for sums by all text columns.
    ///   - span: the SQL expression for the number of the span into which a record falls.
    ///   - isPacked: whether the values, with those of `RequestTimes`, are one text, separated by commas.
    static func select(
        _ table: SumsTable? = nil,
        from source: String,
        span: String,
        sign: String = "",
        isPacked: Bool = false
    ) -> String {
        let hasTimes = table?.hasTimes ?? isPacked
        let fields = table?.fields ?? UsageField.allCases
        let omissions = table?.omissions ?? [[]]
        let cut = fields.map { "left(coalesce(\($0.rawValue), ''), \(SumKey.textBound)) AS \($0.rawValue)" }
        let sets = omissions.map { omitted in
            "(" + fields.filter { !omitted.contains($0) }.map(\.rawValue).joined(separator: ", ") + ")"
        }
        let missing = SumFields(UsageField.allCases.filter { !fields.contains($0) })
        let grouping = fields.map { "GROUPING(\($0.rawValue)) * \(SumFields($0).rawValue)" } + ["\(missing.rawValue)"]
        let texts = fields.map { "coalesce(\($0.rawValue), '')" }
        var values = ["kind = 0", "kind = 1"].flatMap { kind in UsageFigures.columns.map { $0.sql(of: kind) } }
        var inputs = ""
        if hasTimes {
            let edges = RequestTimes.edges.map { "\($0)" }.joined(separator: ",")
            for (name, column) in [("duration", "duration_ms"), ("first_byte", "first_byte_ms")] {
                inputs += ", width_bucket(\(column), '{\(edges)}'::bigint[]) AS \(name)"
                values += (0..<RequestTimes.buckets).map { "count(*) FILTER (WHERE kind = 0 AND \(name) = \($0))" }
            }
        }
        let signed = values.map { sign + $0 }.joined(separator: ", ")
        return """
            SELECT process, \(grouping.joined(separator: " + ")), span, \(texts.joined(separator: ", ")), \
            \(isPacked ? "concat_ws(',', \(signed))" : signed) \
            FROM (SELECT process, \(span) AS span, \(cut.joined(separator: ", ")), kind, success, prompt_tokens, \
            completion_tokens, cost, cached_tokens, cache_writes, cache_writes_1h\(inputs), \
            \(FilterSQL.sumConditions) FROM \(source)\
            ) AS records GROUP BY process, span, GROUPING SETS (\(sets.joined(separator: ", ")))
            """
    }

    /// The statement that writes a batch of records and adds new records to the daily sums. It returns the time zone of
    /// the sums, and writes nothing if its parameter with the time zone is another zone.
    ///
    /// Parameter 1 is the process. Then follow arrays: the numbers of the records, and the values of
    /// `UsageColumn.stored`. After these come the time zone, the two arrays of `DayStarts`, and the numbers of the
    /// first and the last record.
    static let insert: String = {
        let types = ["bigint"] + UsageColumn.stored.map(\.postgresType)
        let rest = (0..<5).map { "$\(types.count + 2 + $0)" }
        let arrays = types.enumerated().map { "$\($0 + 2)::\($1)[]" }.joined(separator: ",")
        let names = UsageColumn.stored.names
        return """
            WITH zone AS MATERIALIZED (SELECT zone FROM \(zone) FOR SHARE), \
            input AS (SELECT * FROM unnest(\(arrays)) AS input (number, \(names)) WHERE (SELECT zone FROM zone) = \(rest[0])), \
            new AS (INSERT INTO \(UsageSchema.postgresTable) (process, number, \(names)) \
            SELECT $1::bigint, input.* FROM input ON CONFLICT DO NOTHING RETURNING process, \(inputNames)), \
            sums AS (\(add(to: .days, from: "new", starts: rest[1], days: rest[2]))), \
            hours AS (\(add(to: .hours, from: "new", starts: rest[1], days: rest[2]))), \
            own AS (INSERT INTO \(processes) AS own (process, summed_from, summed_to) \
            SELECT $1::bigint, \(rest[3])::bigint, \(rest[4])::bigint FROM zone WHERE zone = \(rest[0]) \
            ON CONFLICT (process) DO UPDATE SET summed_to = greatest(own.summed_to, excluded.summed_to)) \
            SELECT zone FROM zone
            """
    }()

    /// The statement that adds to `relay_usage_process` all processes that have usage records but are missing there.
    /// Those are processes of older relays.
    static let discover = """
        WITH RECURSIVE found AS (
            SELECT min(process) AS process FROM \(UsageSchema.postgresTable)
            UNION ALL
            SELECT (SELECT min(process) FROM \(UsageSchema.postgresTable) WHERE process > found.process)
            FROM found WHERE process IS NOT NULL
        )
        INSERT INTO \(processes) (process, summed_from, summed_to)
        SELECT process, last + 1, last FROM found, LATERAL (
            SELECT max(number) AS last FROM \(UsageSchema.postgresTable) AS row WHERE row.process = found.process
        ) AS newest
        WHERE process IS NOT NULL AND process NOT IN (SELECT process FROM \(processes))
        ON CONFLICT DO NOTHING
        """

    /// The query for the newest records that the daily sums lack: for each process, at most one record above and one
    /// below the records in the sums.
    ///
    /// `summed_from` and `summed_to` are the numbers of the first and the last record in the sums. `is_above` is true
    /// for a record above `summed_to`, and false for a record below `summed_from`.
    static let unsummed = """
        SELECT process, summed_from, summed_to, time, is_above FROM \(processes) AS own, LATERAL (
            (SELECT time, true AS is_above FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number > own.summed_to ORDER BY row.number DESC LIMIT 1)
            UNION ALL
            (SELECT time, false FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number < own.summed_from ORDER BY row.number DESC LIMIT 1)
        ) AS newest
        """

    /// Returns a statement that deletes records, updates the daily sums, and returns the number of deleted rows.
    ///
    /// Parameters 1 and 2 of the statement are the arrays of `DayStarts`.
    /// - Parameter condition: the SQL condition for the records to delete.
    static func delete(_ condition: String) -> String {
        let summed = """
            (SELECT gone.* FROM gone JOIN \(processes) AS own USING (process) \
            WHERE number BETWEEN own.summed_from AND own.summed_to) AS summed
            """
        return """
            WITH gone AS (DELETE FROM \(UsageSchema.postgresTable) WHERE \(condition) \
            RETURNING process, number, \(inputNames)), \
            bodies AS (DELETE FROM \(UsageSchema.postgresBodies) AS bodies USING gone \
            WHERE bodies.process = gone.process AND bodies.number = gone.number), \
            less AS (\(add(to: .days, from: summed, starts: "$1", days: "$2", sign: "-"))), \
            less_hours AS (\(add(to: .hours, from: summed, starts: "$1", days: "$2", sign: "-"))) \
            SELECT count(*) FROM gone
            """
    }
}

/// The days between two times, as two lists for SQL statements: when each day starts, and its number since 1970.
struct DayStarts {
    let starts: [Int]
    let days: [Int]

    /// The largest number of days after the first day. Only damaged records could need more.
    private static let maxDays = 40_000

    init(_ zone: DayZone, from first: Int, to last: Int) {
        let firstDay = zone.day(atMilliseconds: first).number
        let lastDay = min(zone.day(atMilliseconds: last).number, firstDay + Self.maxDays)
        days = Array(firstDay...max(firstDay, lastDay))
        starts = days.map { zone.startMilliseconds(of: Day(number: $0)) }
    }

    /// The two arrays of `append` as the parameters of a statement.
    var values: PostgresValues {
        let values = PostgresValues()
        append(to: values)
        return values
    }

    /// Appends two PostgreSQL arrays: the starts of the days, and the days as numbers since 1970.
    func append(to values: PostgresValues) {
        for numbers in [starts, days] { values.add("{\(numbers.map { "\($0)" }.joined(separator: ","))}") }
    }
}
