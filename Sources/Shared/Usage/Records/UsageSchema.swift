/// The database tables of usage records.
enum UsageSchema {
    /// The columns of a usage record, in the order in which they are written. Money is in 10^-12 dollars, `time` in
    /// milliseconds since 1970. `kind` is 0 for a request and 1 for an upstream call.
    static let columns = [
        "time", "kind", "request_id", "endpoint", "caller", "model", "model_used", "provider", "key", "prompt_tokens",
        "completion_tokens", "estimated", "cost", "credits", "duration_ms", "attempts", "stream", "cached", "success",
        "status", "error", "first_byte_ms", "limits_wait_ms", "capacity_wait_ms", "limits",
        "session", "rebuilt", "cached_tokens", "cache_writes", "cache_writes_1h", "service_tier", "tool_uses", "bill",
        "lowered_max_tokens",
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

    /// The columns of a row in SQLite as SQL: its id, the record and its only call.
    static let sqliteRow = (["id"] + columns + callColumns).joined(separator: ",")

    /// The columns by which the stored sums are grouped.
    static let sumKeys = ["omitted", "day", "caller", "model", "provider", "endpoint"]

    /// The columns of the stored sums: first for requests, then for upstream calls. `costs` is the number of known
    /// costs. The total of these costs is `cost` (in 10^-6 dollars) plus `cost_rest` (in 10^-12 dollars). `unpriced` is
    /// the number of records that reached a vendor and have no known cost. `failures` are failed records with 5xx,
    /// `refusals` those with 429.
    static let sumColumns = [
        "requests", "failed", "prompt_tokens", "completion_tokens", "costs", "cost", "cost_rest", "cached_tokens",
        "cache_writes", "cache_writes_1h", "unpriced", "failures", "refusals", "calls", "failed_calls",
        "call_prompt_tokens",
        "call_completion_tokens", "call_costs", "call_cost", "call_cost_rest", "call_cached_tokens",
        "call_cache_writes", "call_cache_writes_1h", "unpriced_calls", "call_failures", "call_refusals",
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
    static func firstSQLiteID(at milliseconds: Int) -> Int { min(max(0, milliseconds), 1 << 50) * idsPerMillisecond }

    /// The PostgreSQL types of `columns`.
    static let postgresTypes = [
        "bigint", "smallint", "text", "text", "text", "text", "text", "text", "text", "bigint", "bigint", "boolean",
        "bigint", "bigint", "bigint", "bigint", "boolean", "boolean", "boolean", "integer", "text", "bigint", "bigint",
        "bigint", "text", "text", "boolean", "bigint", "bigint", "bigint", "text", "text", "text",
        "bigint",
    ]
}
