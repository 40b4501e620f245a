import Engine

/// The statements that keep the daily sums of a PostgreSQL database.
///
/// Each process adds to rows of its own, and rows are locked in the order of their keys, so that relays do not wait for each
/// other in circles. `relay_usage_process` says which rows of a process are in the sums.
enum PostgresSumsSQL {
    static let table = UsageSchema.postgresSums
    static let processes = "relay_usage_process"
    static let zone = "relay_usage_zone"
    /// The columns of records that sums are made of.
    private static let inputs = [
        "time", "kind", "caller", "model", "provider", "endpoint", "success", "prompt_tokens", "completion_tokens",
        "cost",
    ]
    static let inputNames = inputs.joined(separator: ", ")

    /// A statement that adds the records of `source` to the sums, or takes them out.
    ///
    /// - Parameters:
    ///   - source: for FROM: rows with `process` and `inputs`.
    ///   - starts: a parameter with the starts of days, as `DayStarts` has them; `days`: one with their numbers.
    ///   - sign: `-` takes them out.
    static func add(from source: String, starts: String, days: String, sign: String = "") -> String {
        let keys = UsageSchema.sumKeys.joined(separator: ", ")
        let columns = UsageSchema.sumColumns.joined(separator: ", ")
        let updates = UsageSchema.sumColumns.map { "\($0) = sums.\($0) + excluded.\($0)" }.joined(separator: ", ")
        let select = select(from: source, starts: starts, days: days, sign: sign)
        return """
            INSERT INTO \(table) AS sums (process, \(keys), \(columns)) \(select) ORDER BY 2, 3, 4, 5, 6, 1 \
            ON CONFLICT (\(keys), process) DO UPDATE SET \(updates)
            """
    }

    /// A statement that sums records up: `process`, then the keys and sums.
    static func select(
        from source: String,
        starts: String,
        days: String,
        process: String = "process",
        sign: String = ""
    ) -> String {
        let values = ["kind = 0", "kind = 1"].flatMap(sums).map { sign + $0 }.joined(separator: ", ")
        let texts = UsageSchema.sumKeys.dropFirst().map { "left(coalesce(\($0), ''), \(SumKey.textBound))" }
        let day = "(\(days)::integer[])[width_bucket(time, \(starts)::bigint[])]"
        return """
            SELECT \(process), \(day), \(texts.joined(separator: ", ")), \(values) \
            FROM \(source) GROUP BY 1, 2, 3, 4, 5, 6
            """
    }

    /// The sums of one kind of records.
    private static func sums(_ kind: String) -> [String] {
        [
            "count(*) FILTER (WHERE \(kind))", "count(*) FILTER (WHERE \(kind) AND NOT success)",
            "coalesce(sum(prompt_tokens) FILTER (WHERE \(kind)), 0)",
            "coalesce(sum(completion_tokens) FILTER (WHERE \(kind)), 0)", "count(cost) FILTER (WHERE \(kind))",
            "coalesce(sum(cost / \(Tally.costScale)) FILTER (WHERE \(kind)), 0)",
            "coalesce(sum(cost % \(Tally.costScale)) FILTER (WHERE \(kind)), 0)",
        ]
    }

    /// Writes a batch of records, and adds those that were not there yet to the sums. Returns the zone of the sums; if it
    /// is another one than `$24`, nothing was written.
    ///
    /// Parameters: 1 the process, 2 to 23 arrays of the columns, 24 the zone, 25 and 26 the days, 27 and 28 the first and
    /// last number.
    static let insert: String = {
        let types = ["bigint"] + UsageSchema.postgresTypes
        let arrays = types.enumerated().map { "$\($0 + 2)::\($1)[]" }.joined(separator: ",")
        let names = UsageSchema.columns.joined(separator: ",")
        return """
            WITH zone AS MATERIALIZED (SELECT zone FROM \(zone) FOR SHARE), \
            input AS (SELECT * FROM unnest(\(arrays)) AS input (number, \(names)) WHERE (SELECT zone FROM zone) = $24), \
            new AS (INSERT INTO \(UsageSchema.postgresTable) (process, number, \(names)) \
            SELECT $1::bigint, input.* FROM input ON CONFLICT DO NOTHING RETURNING process, \(inputNames)), \
            sums AS (\(add(from: "new", starts: "$25", days: "$26"))), \
            own AS (INSERT INTO \(processes) AS own (process, summed_from, summed_to) \
            SELECT $1::bigint, $27::bigint, $28::bigint FROM zone WHERE zone = $24 \
            ON CONFLICT (process) DO UPDATE SET summed_to = greatest(own.summed_to, excluded.summed_to)) \
            SELECT zone FROM zone
            """
    }()

    /// Lists processes whose rows are in no sums yet: those of older relays.
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

    /// The newest row of each process that is not in the sums: `process, summed_from, summed_to, time, is_above`.
    static let unsummed = """
        SELECT process, summed_from, summed_to, time, is_above FROM \(processes) AS own, LATERAL (
            (SELECT time, true AS is_above FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number > own.summed_to ORDER BY row.number DESC LIMIT 1)
            UNION ALL
            (SELECT time, false FROM \(UsageSchema.postgresTable) AS row
            WHERE row.process = own.process AND row.number < own.summed_from ORDER BY row.number DESC LIMIT 1)
        ) AS newest
        """

    /// Deletes the rows of `condition`, and takes those out of the sums that are in them. Returns their number.
    ///
    /// Parameters: 1 and 2 the days.
    static func delete(_ condition: String) -> String {
        let summed = """
            (SELECT gone.* FROM gone JOIN \(processes) AS own USING (process) \
            WHERE number BETWEEN own.summed_from AND own.summed_to) AS summed
            """
        return """
            WITH gone AS (DELETE FROM \(UsageSchema.postgresTable) WHERE \(condition) \
            RETURNING process, number, \(inputNames)), \
            less AS (\(add(from: summed, starts: "$1", days: "$2", sign: "-"))) \
            SELECT count(*) FROM gone
            """
    }
}

/// The starts of the days from one time to another, and their numbers: SQL finds the day of a time by them.
struct DayStarts {
    let starts: [Int]
    let days: [Int]

    /// Days of more than a hundred years are none of this program's records.
    private static let maxDays = 40_000

    init(_ zone: DayZone, from first: Int, to last: Int) {
        let firstDay = zone.day(atMilliseconds: first).number
        let lastDay = min(zone.day(atMilliseconds: last).number, firstDay + Self.maxDays)
        days = Array(firstDay...max(firstDay, lastDay))
        starts = days.map { zone.startMilliseconds(of: Day(number: $0)) }
    }

    /// Appends both as arrays of PostgreSQL.
    func append(to values: PostgresValues) {
        for numbers in [starts, days] { values.add("{\(numbers.map { "\($0)" }.joined(separator: ","))}") }
    }
}
