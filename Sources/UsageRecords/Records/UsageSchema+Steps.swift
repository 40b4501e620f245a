import Shared

/// The SQL steps that upgrade the tables of usage records by one version each.
///
/// Released steps never change. The last ones add the columns that `UsageColumn.added` has.
extension UsageSchema {
    static let sqliteSteps =
        writtenSQLiteSteps
        + UsageColumn.added.indices.map { index in
            let (column, all) = (UsageColumn.added[index], UsageColumn.added[...index])
            let own = all.filter { $0.traits.contains(.ofRequest) }.map(\.name)
            let shared = all.filter { !$0.traits.contains(.ofRequest) }.map(\.name)
            return """
                DROP VIEW usage;
                ALTER TABLE records ADD COLUMN \(column.name) \(column.postgresType == "text" ? "TEXT" : "INTEGER");
                \(view(ofRequests: waits + ["session", "lowered_max_tokens"] + own, ofBoth: ["rebuilt"] + details + shared))
                """
        }
    static let postgresSteps =
        writtenPostgresSteps
        + UsageColumn.added.map {
            "ALTER TABLE \(postgresTable) ADD COLUMN \($0.name) \($0.postgresType)"
        }

    private static let writtenSQLiteSteps = [
        """
        CREATE TABLE usage (
            id INTEGER PRIMARY KEY,
            time INTEGER NOT NULL, kind INTEGER NOT NULL, request_id TEXT NOT NULL,
            endpoint TEXT, caller TEXT, model TEXT, model_used TEXT, provider TEXT, key TEXT,
            prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
            cost INTEGER, credits INTEGER,
            duration_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, stream INTEGER NOT NULL, cached INTEGER NOT NULL,
            success INTEGER NOT NULL, status INTEGER, error TEXT
        );
        CREATE INDEX usage_time ON usage (time);
        """,
        // Ids that follow the time make the index superfluous, which took a third of the time to write a row.
        "DROP INDEX usage_time; UPDATE usage SET id = time * \(idsPerMillisecond) + id % \(idsPerMillisecond)",
        """
        ALTER TABLE usage RENAME TO records;
        \(added(to: "records", "INTEGER", ["call_before_ms", "call_duration_ms"]))
        ALTER TABLE records ADD COLUMN call_key TEXT;
        ALTER TABLE records ADD COLUMN call_credits INTEGER;
        \(view())
        """,
        // Rows up to the mark are added to the sums later, in small steps.
        """
        CREATE TABLE sums (
            day INTEGER NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, endpoint TEXT NOT NULL,
            \(sums("INTEGER")), last_id INTEGER NOT NULL,
            PRIMARY KEY (day, caller, model, provider, endpoint)
        ) WITHOUT ROWID;
        CREATE TABLE sums_state (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            zone TEXT NOT NULL, mark INTEGER NOT NULL, last_id INTEGER NOT NULL, is_mixed INTEGER NOT NULL
        );
        INSERT INTO sums_state SELECT 1, 'UTC', ifnull(max(id), 0), ifnull(max(id), 0), 0 FROM records;
        """,
        // A record's bodies go with it.
        """
        DROP VIEW usage;
        \(added(to: "records", "INTEGER", ["first_byte_ms", "limits_wait_ms", "capacity_wait_ms"]))
        ALTER TABLE records ADD COLUMN limits TEXT;
        \(view(ofRequests: waits))
        CREATE INDEX records_failed ON records (status) WHERE success = 0 AND kind = 0;
        CREATE TABLE bodies (id INTEGER PRIMARY KEY, request TEXT, response TEXT);
        CREATE TRIGGER records_deleted AFTER DELETE ON records BEGIN DELETE FROM bodies WHERE id = old.id; END;
        """,
        // `omitted` has the bits of `SumFields`. All rows are added to the new sums in steps.
        """
        DROP TABLE sums;
        CREATE TABLE sums (
            omitted INTEGER NOT NULL,
            day INTEGER NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, endpoint TEXT NOT NULL,
            \(sums("INTEGER")), last_id INTEGER NOT NULL,
            PRIMARY KEY (omitted, day, caller, model, provider, endpoint)
        ) WITHOUT ROWID;
        UPDATE sums_state SET last_id = max(last_id, (SELECT ifnull(max(id), 0) FROM records));
        UPDATE sums_state SET mark = last_id;
        """,
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN session TEXT;
        \(view(ofRequests: waits + ["session"]))
        CREATE INDEX records_session ON records (session) WHERE session IS NOT NULL;
        """,
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN rebuilt INTEGER;
        \(view(ofRequests: waits + ["session"], ofBoth: ["rebuilt"]))
        """,
        // All rows are added to the new sums in steps.
        """
        DROP VIEW usage;
        \(added(to: "records", "INTEGER", ["cached_tokens", "cache_writes", "cache_writes_1h"]))
        \(added(to: "records", "TEXT", ["service_tier", "tool_uses", "bill"]))
        \(view(ofRequests: waits + ["session"], ofBoth: ["rebuilt"] + details))
        DELETE FROM sums;
        \(added(to: "sums", count, ["cached_tokens", "cache_writes", "cache_writes_1h", "unpriced"]))
        \(added(to: "sums", count, ["call_cached_tokens", "call_cache_writes", "call_cache_writes_1h", "unpriced_calls"]))
        UPDATE sums_state SET last_id = max(last_id, (SELECT ifnull(max(id), 0) FROM records));
        UPDATE sums_state SET mark = last_id;
        """,
        // All rows are added to the new sums in steps.
        """
        DELETE FROM sums;
        \(added(to: "sums", count, ["failures", "refusals", "call_failures", "call_refusals"]))
        CREATE TABLE hours (
            omitted INTEGER NOT NULL, hour INTEGER NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
            \((hourColumns + times).map { "\($0) INTEGER NOT NULL" }.joined(separator: ", ")),
            PRIMARY KEY (omitted, hour, model, provider)
        ) WITHOUT ROWID;
        UPDATE sums_state SET last_id = max(last_id, (SELECT ifnull(max(id), 0) FROM records));
        UPDATE sums_state SET mark = last_id;
        """,
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN lowered_max_tokens INTEGER;
        \(view(ofRequests: waits + ["session", "lowered_max_tokens"], ofBoth: ["rebuilt"] + details))
        """,
        """
        CREATE TABLE limits (
            key TEXT PRIMARY KEY, birth INTEGER NOT NULL, version INTEGER NOT NULL, changed INTEGER NOT NULL,
            expires INTEGER NOT NULL, record TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
    ]

    /// Returns the columns of sums in their first version, for a statement that creates the table.
    private static func sums(_ type: String) -> String {
        ["", "call_"].flatMap { prefix in
            (prefix.isEmpty ? ["requests", "failed"] : ["calls", "failed_calls"])
                + ["prompt_tokens", "completion_tokens", "costs", "cost", "cost_rest"].map { prefix + $0 }
        }
        .map { "\($0) \(type) NOT NULL" }.joined(separator: ", ")
    }

    private static let count = "INTEGER NOT NULL DEFAULT 0"

    /// Returns the statements that add columns to a table of SQLite.
    private static func added(to table: String, _ type: String, _ columns: [String]) -> String {
        columns.map { "ALTER TABLE \(table) ADD COLUMN \($0) \(type);" }.joined(separator: "\n")
    }

    private static let hourColumns = ["", "call_"].flatMap { prefix in
        [
            prefix.isEmpty ? "requests" : "calls", prefix.isEmpty ? "failed" : "failed_calls", "\(prefix)prompt_tokens",
            "\(prefix)completion_tokens", "\(prefix)costs", "\(prefix)cost", "\(prefix)cost_rest",
            "\(prefix)cached_tokens", "\(prefix)cache_writes", "\(prefix)cache_writes_1h",
            prefix.isEmpty ? "unpriced" : "unpriced_calls", "\(prefix)failures", "\(prefix)refusals",
        ]
    }
    private static let times = ["duration", "first_byte"].flatMap { name in (0..<24).map { "\(name)_\($0)" } }
    private static let waits = ["first_byte_ms", "limits_wait_ms", "capacity_wait_ms", "limits"]
    private static let details = [
        "cached_tokens", "cache_writes", "cache_writes_1h", "service_tier", "tool_uses", "bill",
    ]

    /// Returns the statement that creates the view `usage` in SQLite.
    /// - Parameters:
    ///   - own: the columns that only requests have, beside those of the first version.
    ///   - shared: the columns that a request and its only call share, beside those of the first version.
    private static func view(ofRequests own: [String] = [], ofBoth shared: [String] = []) -> String {
        func listed(_ columns: [String]) -> String { columns.map { ", \($0)" }.joined() }
        let ofCalls = listed(own.map { _ in "NULL" } + shared)
        // The casts give the values the affinity that the column has in the other half of the union.
        return """
            CREATE VIEW usage AS
                SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                    prompt_tokens, completion_tokens, estimated, cost, credits,
                    duration_ms, attempts, stream, cached, success, status, error\(listed(own + shared))
                FROM records
                UNION ALL
                SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                    endpoint, caller, model, model_used, provider, call_key,
                    prompt_tokens, completion_tokens, estimated, cost, call_credits,
                    call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error\(ofCalls)
                FROM records WHERE call_before_ms IS NOT NULL;
            """
    }

    /// The steps that create and upgrade the PostgreSQL tables. The columns `process` and `number` identify a record.
    private static let writtenPostgresSteps = [
        """
        CREATE TABLE relay_usage (
            process bigint NOT NULL, number bigint NOT NULL,
            time bigint NOT NULL, kind smallint NOT NULL, request_id text NOT NULL,
            endpoint text, caller text, model text, model_used text, provider text, key text,
            prompt_tokens bigint NOT NULL, completion_tokens bigint NOT NULL, estimated boolean NOT NULL,
            cost bigint, credits bigint,
            duration_ms bigint NOT NULL, attempts bigint NOT NULL, stream boolean NOT NULL, cached boolean NOT NULL,
            success boolean NOT NULL, status integer, error text,
            PRIMARY KEY (process, number)
        );
        CREATE INDEX relay_usage_time ON relay_usage (time);
        """,
        // The rows of a process from `summed_from` to `summed_to` are in the sums; other rows are added later.
        """
        CREATE TABLE relay_usage_sums (
            process bigint NOT NULL,
            day integer NOT NULL, caller text NOT NULL, model text NOT NULL, provider text NOT NULL, endpoint text NOT NULL,
            \(sums("bigint")),
            PRIMARY KEY (day, caller, model, provider, endpoint, process)
        );
        CREATE TABLE relay_usage_process (
            process bigint PRIMARY KEY, summed_from bigint NOT NULL, summed_to bigint NOT NULL
        );
        CREATE TABLE relay_usage_zone (zone text NOT NULL, is_mixed boolean NOT NULL);
        INSERT INTO relay_usage_zone VALUES ('UTC', false);
        """,
        """
        ALTER TABLE relay_usage ADD COLUMN first_byte_ms bigint, ADD COLUMN limits_wait_ms bigint,
            ADD COLUMN capacity_wait_ms bigint, ADD COLUMN limits text;
        CREATE TABLE relay_usage_bodies (
            process bigint NOT NULL, number bigint NOT NULL, request text, response text,
            PRIMARY KEY (process, number)
        );
        """,
        // `omitted` has the bits of `SumFields`. The first statement waits for batches that are being written, and
        // blocks later ones. All rows are added to the new sums in steps.
        """
        UPDATE relay_usage_zone SET is_mixed = false;
        TRUNCATE relay_usage_sums;
        ALTER TABLE relay_usage_sums ADD COLUMN omitted smallint NOT NULL, DROP CONSTRAINT relay_usage_sums_pkey,
            ADD PRIMARY KEY (omitted, day, caller, model, provider, endpoint, process);
        UPDATE relay_usage_process SET summed_from = summed_to + 1;
        """,
        "ALTER TABLE relay_usage ADD COLUMN session text",
        "ALTER TABLE relay_usage ADD COLUMN rebuilt boolean",
        // All rows are added to the new sums in steps.
        """
        ALTER TABLE relay_usage ADD COLUMN cached_tokens bigint, ADD COLUMN cache_writes bigint,
            ADD COLUMN cache_writes_1h bigint, ADD COLUMN service_tier text, ADD COLUMN tool_uses text,
            ADD COLUMN bill text;
        UPDATE relay_usage_zone SET is_mixed = false;
        TRUNCATE relay_usage_sums;
        ALTER TABLE relay_usage_sums ADD COLUMN cached_tokens bigint NOT NULL DEFAULT 0,
            ADD COLUMN cache_writes bigint NOT NULL DEFAULT 0, ADD COLUMN cache_writes_1h bigint NOT NULL DEFAULT 0,
            ADD COLUMN unpriced bigint NOT NULL DEFAULT 0, ADD COLUMN call_cached_tokens bigint NOT NULL DEFAULT 0,
            ADD COLUMN call_cache_writes bigint NOT NULL DEFAULT 0,
            ADD COLUMN call_cache_writes_1h bigint NOT NULL DEFAULT 0,
            ADD COLUMN unpriced_calls bigint NOT NULL DEFAULT 0;
        UPDATE relay_usage_process SET summed_from = summed_to + 1;
        """,
        // All rows are added to the new sums in steps.
        """
        UPDATE relay_usage_zone SET is_mixed = false;
        TRUNCATE relay_usage_sums;
        ALTER TABLE relay_usage_sums ADD COLUMN failures bigint NOT NULL DEFAULT 0,
            ADD COLUMN refusals bigint NOT NULL DEFAULT 0, ADD COLUMN call_failures bigint NOT NULL DEFAULT 0,
            ADD COLUMN call_refusals bigint NOT NULL DEFAULT 0;
        CREATE TABLE relay_usage_hours (
            process bigint NOT NULL, omitted smallint NOT NULL, hour integer NOT NULL, model text NOT NULL, provider text NOT NULL,
            \((hourColumns.map { "\($0) bigint NOT NULL" } + times.map { "\($0) integer NOT NULL" }).joined(separator: ", ")),
            PRIMARY KEY (omitted, hour, model, provider, process)
        );
        UPDATE relay_usage_process SET summed_from = summed_to + 1;
        """,
        "ALTER TABLE relay_usage ADD COLUMN lowered_max_tokens bigint",
        """
        CREATE TABLE relay_limits (
            key text PRIMARY KEY, birth bigint NOT NULL, version bigint NOT NULL, changed bigint NOT NULL,
            expires bigint NOT NULL, record text NOT NULL
        )
        """,
    ]
}
