import Engine

/// The SQL statements that maintain the daily sums of a PostgreSQL database.
///
/// Each process has its own rows of sums. Rows are locked in the order of their keys, so that relays do not deadlock.
/// `relay_usage_process` says which rows of a process are in the sums.
enum PostgresSumsSQL {
    static let table = UsageSchema.postgresSums
    static let processes = "relay_usage_process"
    static let zone = "relay_usage_zone"
    /// The columns of records from which sums are computed.
    private static let inputs = [
        "time", "kind", "caller", "model", "provider", "endpoint", "success", "prompt_tokens", "completion_tokens",
        "cost",
    ]
    static let inputNames = inputs.joined(separator: ", ")

    /// Returns a statement that adds the records of `source` to the sums, or subtracts them.
    ///
    /// - Parameters:
    ///   - source: the text after FROM: rows with `process` and `inputs`.
    ///   - starts: the parameter with the starts of days, as `DayStarts` has them; `days`: the parameter with their
    ///     numbers.
    ///   - sign: `-` subtracts the records; empty adds them.
    static func add(from source: String, starts: String, days: String, sign: String = "") -> String {
        let keys = UsageSchema.sumKeys.joined(separator: ", ")
        let columns = UsageSchema.sumColumns.joined(separator: ", ")
        let updates = UsageSchema.sumColumns.map { "\($0) = sums.\($0) + excluded.\($0)" }.joined(separator: ", ")
        let select = select(from: source, starts: starts, days: days, sign: sign, omitted: SumFields.stored)
        return """
            INSERT INTO \(table) AS sums (process, \(keys), \(columns)) \(select) ORDER BY 2, 3, 4, 5, 6, 7, 1 \
            ON CONFLICT (\(keys), process) DO UPDATE SET \(updates)
            """
    }

    /// Returns a statement that sums up records: `process`, then the keys and sums.
    ///
    /// - Parameter omitted: the sets of fields that the sums omit; each record is added to the sums of every set.
    static func select(
        from source: String,
        starts: String,
        days: String,
        sign: String = "",
        omitted: [SumFields] = [[]]
    ) -> String {
        let names: [(text: String, field: SumFields)] = [
            ("caller", .caller), ("model", .model), ("provider", .provider), ("endpoint", .endpoint),
        ]
        let all = names.map(\.text).joined(separator: ", ")
        let cut = names.map { "left(coalesce(\($0.text), ''), \(SumKey.textBound)) AS \($0.text)" }
        let sets = omitted.map { omitted in
            "(" + names.filter { !omitted.contains($0.field) }.map(\.text).joined(separator: ", ") + ")"
        }
        let texts = names.map { "coalesce(\($0.text), '')" }
        let values = ["kind = 0", "kind = 1"].flatMap(sums).map { sign + $0 }
        return """
            SELECT process, GROUPING(\(all)), day, \((texts + values).joined(separator: ", ")) FROM (\
            SELECT process, (\(days)::integer[])[width_bucket(time, \(starts)::bigint[])] AS day, \
            \(cut.joined(separator: ", ")), kind, success, prompt_tokens, completion_tokens, cost FROM \(source)\
            ) AS records GROUP BY process, day, GROUPING SETS (\(sets.joined(separator: ", ")))
            """
    }

    /// Returns the sums of one kind of records.
    private static func sums(_ kind: String) -> [String] {
        [
            "count(*) FILTER (WHERE \(kind))", "count(*) FILTER (WHERE \(kind) AND NOT success)",
            "coalesce(sum(prompt_tokens) FILTER (WHERE \(kind)), 0)",
            "coalesce(sum(completion_tokens) FILTER (WHERE \(kind)), 0)", "count(cost) FILTER (WHERE \(kind))",
            "coalesce(sum(cost / \(RecordTotals.costScale)) FILTER (WHERE \(kind)), 0)",
            "coalesce(sum(cost % \(RecordTotals.costScale)) FILTER (WHERE \(kind)), 0)",
        ]
    }

    /// The statement that writes a batch of records and adds the new ones to the sums. It returns the time zone of the
    /// sums. If that is not `$24`, nothing was written.
    ///
    /// Parameters: 1 is the process, 2 to 23 are arrays of the columns, 24 is the zone, 25 and 26 are the days, 27 and
    /// 28 are the first and the last number.
    static let insert: String = {
        let types = ["bigint"] + UsageSchema.postgresTypes
        let arrays = types.enumerated().map { "$\($0 + 2)::\($1)[]" }.joined(separator: ",")
        let names = UsageSchema.columns.joined(separator: ",")
        return """
            WITH zone AS MATERIALIZED (SELECT zone FROM \(zone) FOR SHARE), \
            input AS (SELECT * FROM unnest(\(arrays)) AS input (number, \(names)) WHERE (SELECT zone FROM zone) = $28), \
            new AS (INSERT INTO \(UsageSchema.postgresTable) (process, number, \(names)) \
            SELECT $1::bigint, input.* FROM input ON CONFLICT DO NOTHING RETURNING process, \(inputNames)), \
            sums AS (\(add(from: "new", starts: "$29", days: "$30"))), \
            own AS (INSERT INTO \(processes) AS own (process, summed_from, summed_to) \
            SELECT $1::bigint, $31::bigint, $32::bigint FROM zone WHERE zone = $28 \
            ON CONFLICT (process) DO UPDATE SET summed_to = greatest(own.summed_to, excluded.summed_to)) \
            SELECT zone FROM zone
            """
    }()

    /// The statement that registers processes of older relays, whose rows are in no sums yet.
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

    /// The query for the newest row of each process that is not in the sums: `process, summed_from, summed_to, time,
    /// is_above`.
    static let unsummed = """
        SELECT process, summed_from, summed_to, time, is_above FROM \(processes) AS own, LATERAL (
            (SELECT time, true AS is_above FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number > own.summed_to ORDER BY row.number DESC LIMIT 1)
            UNION ALL
            (SELECT time, false FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number < own.summed_from ORDER BY row.number DESC LIMIT 1)
        ) AS newest
        """

    /// Returns a statement that deletes the rows of `condition`, and subtracts those rows from the sums that were in
    /// them. It returns the number of deleted rows.
    ///
    /// The parameters 1 and 2 are the days.
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
            less AS (\(add(from: summed, starts: "$1", days: "$2", sign: "-"))) \
            SELECT count(*) FROM gone
            """
    }
}

/// The starts of the days from one time to another, and their numbers. SQL uses them to find the day of a time.
struct DayStarts {
    let starts: [Int]
    let days: [Int]

    /// The largest number of days, over a hundred years. More can only come from damaged records.
    private static let maxDays = 40_000

    init(_ zone: DayZone, from first: Int, to last: Int) {
        let firstDay = zone.day(atMilliseconds: first).number
        let lastDay = min(zone.day(atMilliseconds: last).number, firstDay + Self.maxDays)
        days = Array(firstDay...max(firstDay, lastDay))
        starts = days.map { zone.startMilliseconds(of: Day(number: $0)) }
    }

    /// Appends the starts and the numbers as two PostgreSQL arrays.
    func append(to values: PostgresValues) {
        for numbers in [starts, days] { values.add("{\(numbers.map { "\($0)" }.joined(separator: ","))}") }
    }
}
