/// The database tables of usage records, and the SQL steps that upgrade them by one version each.
///
/// Released steps never change.
enum UsageSchema {
    /// The columns of a usage record, in the order in which they are written. Money is in 10^-12 dollars, `time` in
    /// milliseconds since 1970. `kind` is 0 for a request and 1 for an upstream call.
    static let columns = [
        "time", "kind", "request_id", "endpoint", "caller", "model", "model_used", "provider", "key", "prompt_tokens",
        "completion_tokens", "estimated", "cost", "credits", "duration_ms", "attempts", "stream", "cached", "success",
        "status", "error", "first_byte_ms", "limits_wait_ms", "capacity_wait_ms", "limits",
        "session", "rebuilt", "cached_tokens", "cache_writes", "cache_writes_1h", "service_tier", "tool_uses", "bill",
    ]

    static let postgresTable = "relay_usage"
    static let postgresSums = "relay_usage_sums"
    static let postgresBodies = "relay_usage_bodies"

    /// The SQLite table of usage records. A request and its only upstream call can share a row.
    ///
    /// Other programs read the view `usage`, which has a row for each record. There, such a call has the request's id
    /// plus 1.
    static let sqliteTable = "records"

    /// The columns of an upstream call in the row of its request in SQLite; NULL if there is none. `call_before_ms` is
    /// the time from the call's end to the request's end.
    static let callColumns = ["call_before_ms", "call_duration_ms", "call_key", "call_credits"]

    static let sqliteSteps = [
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
        // The casts give the values the affinity that the column has in the other half of the union.
        """
        ALTER TABLE usage RENAME TO records;
        ALTER TABLE records ADD COLUMN call_before_ms INTEGER;
        ALTER TABLE records ADD COLUMN call_duration_ms INTEGER;
        ALTER TABLE records ADD COLUMN call_key TEXT;
        ALTER TABLE records ADD COLUMN call_credits INTEGER;
        CREATE VIEW usage AS
            SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                prompt_tokens, completion_tokens, estimated, cost, credits,
                duration_ms, attempts, stream, cached, success, status, error
            FROM records
            UNION ALL
            SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                endpoint, caller, model, model_used, provider, call_key,
                prompt_tokens, completion_tokens, estimated, cost, call_credits,
                call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error
            FROM records WHERE call_before_ms IS NOT NULL;
        """,
        // Rows up to the mark are added to the sums later, in small steps.
        """
        CREATE TABLE sums (
            day INTEGER NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, endpoint TEXT NOT NULL,
            requests INTEGER NOT NULL, failed INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
            costs INTEGER NOT NULL, cost INTEGER NOT NULL, cost_rest INTEGER NOT NULL,
            calls INTEGER NOT NULL, failed_calls INTEGER NOT NULL,
            call_prompt_tokens INTEGER NOT NULL, call_completion_tokens INTEGER NOT NULL,
            call_costs INTEGER NOT NULL, call_cost INTEGER NOT NULL, call_cost_rest INTEGER NOT NULL,
            last_id INTEGER NOT NULL,
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
        ALTER TABLE records ADD COLUMN first_byte_ms INTEGER;
        ALTER TABLE records ADD COLUMN limits_wait_ms INTEGER;
        ALTER TABLE records ADD COLUMN capacity_wait_ms INTEGER;
        ALTER TABLE records ADD COLUMN limits TEXT;
        CREATE VIEW usage AS
            SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                prompt_tokens, completion_tokens, estimated, cost, credits,
                duration_ms, attempts, stream, cached, success, status, error,
                first_byte_ms, limits_wait_ms, capacity_wait_ms, limits
            FROM records
            UNION ALL
            SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                endpoint, caller, model, model_used, provider, call_key,
                prompt_tokens, completion_tokens, estimated, cost, call_credits,
                call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error,
                NULL, NULL, NULL, NULL
            FROM records WHERE call_before_ms IS NOT NULL;
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
            requests INTEGER NOT NULL, failed INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
            costs INTEGER NOT NULL, cost INTEGER NOT NULL, cost_rest INTEGER NOT NULL,
            calls INTEGER NOT NULL, failed_calls INTEGER NOT NULL,
            call_prompt_tokens INTEGER NOT NULL, call_completion_tokens INTEGER NOT NULL,
            call_costs INTEGER NOT NULL, call_cost INTEGER NOT NULL, call_cost_rest INTEGER NOT NULL,
            last_id INTEGER NOT NULL,
            PRIMARY KEY (omitted, day, caller, model, provider, endpoint)
        ) WITHOUT ROWID;
        UPDATE sums_state SET last_id = max(last_id, (SELECT ifnull(max(id), 0) FROM records));
        UPDATE sums_state SET mark = last_id;
        """,
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN session TEXT;
        CREATE VIEW usage AS
            SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                prompt_tokens, completion_tokens, estimated, cost, credits,
                duration_ms, attempts, stream, cached, success, status, error,
                first_byte_ms, limits_wait_ms, capacity_wait_ms, limits, session
            FROM records
            UNION ALL
            SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                endpoint, caller, model, model_used, provider, call_key,
                prompt_tokens, completion_tokens, estimated, cost, call_credits,
                call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error,
                NULL, NULL, NULL, NULL, NULL
            FROM records WHERE call_before_ms IS NOT NULL;
        CREATE INDEX records_session ON records (session) WHERE session IS NOT NULL;
        """,
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN rebuilt INTEGER;
        CREATE VIEW usage AS
            SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                prompt_tokens, completion_tokens, estimated, cost, credits,
                duration_ms, attempts, stream, cached, success, status, error,
                first_byte_ms, limits_wait_ms, capacity_wait_ms, limits, session, rebuilt
            FROM records
            UNION ALL
            SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                endpoint, caller, model, model_used, provider, call_key,
                prompt_tokens, completion_tokens, estimated, cost, call_credits,
                call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error,
                NULL, NULL, NULL, NULL, NULL, rebuilt
            FROM records WHERE call_before_ms IS NOT NULL;
        """,
        // All rows are added to the new sums in steps.
        """
        DROP VIEW usage;
        ALTER TABLE records ADD COLUMN cached_tokens INTEGER;
        ALTER TABLE records ADD COLUMN cache_writes INTEGER;
        ALTER TABLE records ADD COLUMN cache_writes_1h INTEGER;
        ALTER TABLE records ADD COLUMN service_tier TEXT;
        ALTER TABLE records ADD COLUMN tool_uses TEXT;
        ALTER TABLE records ADD COLUMN bill TEXT;
        CREATE VIEW usage AS
            SELECT id, time, kind, request_id, endpoint, caller, model, model_used, provider, key,
                prompt_tokens, completion_tokens, estimated, cost, credits,
                duration_ms, attempts, stream, cached, success, status, error,
                first_byte_ms, limits_wait_ms, capacity_wait_ms, limits, session, rebuilt,
                cached_tokens, cache_writes, cache_writes_1h, service_tier, tool_uses, bill
            FROM records
            UNION ALL
            SELECT CAST(id + 1 AS INTEGER), CAST(time - call_before_ms AS INTEGER), CAST(1 AS INTEGER), request_id,
                endpoint, caller, model, model_used, provider, call_key,
                prompt_tokens, completion_tokens, estimated, cost, call_credits,
                call_duration_ms, CAST(0 AS INTEGER), CAST(0 AS INTEGER), CAST(0 AS INTEGER), success, status, error,
                NULL, NULL, NULL, NULL, NULL, rebuilt,
                cached_tokens, cache_writes, cache_writes_1h, service_tier, tool_uses, bill
            FROM records WHERE call_before_ms IS NOT NULL;
        DELETE FROM sums;
        ALTER TABLE sums ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN cache_writes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN cache_writes_1h INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN call_cached_tokens INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN call_cache_writes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN call_cache_writes_1h INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sums ADD COLUMN unpriced_calls INTEGER NOT NULL DEFAULT 0;
        UPDATE sums_state SET last_id = max(last_id, (SELECT ifnull(max(id), 0) FROM records));
        UPDATE sums_state SET mark = last_id;
        """,
    ]

    /// The columns by which the stored sums are grouped.
    static let sumKeys = ["omitted", "day", "caller", "model", "provider", "endpoint"]

    /// The columns of the stored sums: first for requests, then for upstream calls. `costs` is the number of known
    /// costs. The total of these costs is `cost` (in 10^-6 dollars) plus `cost_rest` (in 10^-12 dollars). `unpriced` is
    /// the number of records that reached a vendor and have no known cost.
    static let sumColumns = [
        "requests", "failed", "prompt_tokens", "completion_tokens", "costs", "cost", "cost_rest", "cached_tokens",
        "cache_writes", "cache_writes_1h", "unpriced", "calls", "failed_calls", "call_prompt_tokens",
        "call_completion_tokens", "call_costs", "call_cost", "call_cost_rest", "call_cached_tokens",
        "call_cache_writes", "call_cache_writes_1h", "unpriced_calls",
    ]

    /// The number of columns in `sumColumns` for each kind of records.
    static let totalColumns = sumColumns.count / 2

    /// Returns the columns of the stored sums for requests or for upstream calls.
    static func sumColumns(ofCalls: Bool) -> ArraySlice<String> {
        ofCalls ? sumColumns[totalColumns...] : sumColumns[..<totalColumns]
    }

    /// The number of SQLite ids for each millisecond. An id is at least the row's time in milliseconds multiplied by
    /// this number.
    static let idsPerMillisecond = 4_096

    /// Returns the id of a new record in SQLite. It follows from the record's time, but is above `last`, the previous
    /// row's id.
    static func sqliteID(_ record: UsageRecord, after last: Int) -> Int {
        max(last + 1, firstSQLiteID(at: record.timeMilliseconds))
    }

    /// A number above all SQLite ids that the relay creates, even if its clock is wrong.
    static let idBound = 1 << 62 + 1 << 40

    /// Returns the lowest id that a row of this time or of a later time can have.
    static func firstSQLiteID(at milliseconds: Int) -> Int {
        min(max(0, milliseconds), 1 << 50) * idsPerMillisecond
    }

    /// The steps that create and upgrade the PostgreSQL tables. The columns `process` and `number` identify a record.
    static let postgresSteps = [
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
            requests bigint NOT NULL, failed bigint NOT NULL,
            prompt_tokens bigint NOT NULL, completion_tokens bigint NOT NULL,
            costs bigint NOT NULL, cost bigint NOT NULL, cost_rest bigint NOT NULL,
            calls bigint NOT NULL, failed_calls bigint NOT NULL,
            call_prompt_tokens bigint NOT NULL, call_completion_tokens bigint NOT NULL,
            call_costs bigint NOT NULL, call_cost bigint NOT NULL, call_cost_rest bigint NOT NULL,
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
    ]

    /// The PostgreSQL types of `columns`.
    static let postgresTypes = [
        "bigint", "smallint", "text", "text", "text", "text", "text", "text", "text", "bigint", "bigint", "boolean",
        "bigint", "bigint", "bigint", "bigint", "boolean", "boolean", "boolean", "integer", "text", "bigint", "bigint",
        "bigint", "text", "text", "boolean", "bigint", "bigint", "bigint", "text", "text", "text",
    ]
}
