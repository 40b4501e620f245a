import Engine
import Shared

extension AdminRoute {
    /// All admin routes. A script makes the reference in `docs/admin-api.md` from this table.
    static let all: [AdminRoute] = entrance + requests + usage + ofOperation

    private static let entrance: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin",
            .everybody,
            "Shows the admin page; without a session, the login form.",
            response: "HTML",
            showAdminPage
        ),
        AdminRoute(
            .post,
            "/admin/login",
            .everybody,
            """
            Begins a session. Each address may log in five times per minute over all instances, whether the login succeeds or not; further \
            attempts get 429 with `Retry-After`. 401 if the user or the password is incorrect.
            """,
            response: #"{"status":0,"msg":"Login successful","data":{"token":"<session>"},"instance":"relay-1:5001"}"#,
            logIn
        ).taking(Field("username", "`ADMIN_USERNAME`, by default `admin`"), Field("password", "`ADMIN_PASSWORD`")),
        AdminRoute(
            .get,
            "/admin/logout",
            .everybody,
            "Ends the session and sends the browser to `/admin`.",
            response: "302",
            logOut
        ),
    ]

    private static let requests: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/req_logs",
            .reader,
            """
            Lists the records of requests. With `keywords`, `min_cost` or `min_duration`, the newest records are searched first. A search ends \
            after one second: then `partial` is true, and `before` is the id from which to continue; it is missing if \
            the records with the oldest ids come first. `total` counts at most 10,000 records, and \
            counting ends about 0.2 s after the page is full; if there may be more records, `total_is_bound` is true.
            """,
            response: #"""
                {"items":[{"id":7,"time":"2026-01-31T12:00:00.000Z","req_id":"req_…","service_provider":"openai_groq-1",
                "token":"sk-1...f4","caller":"team","model":"fast","model_used":"llama-3","provider":"groq-1","prompt":20,"completion":30,
                "cached_tokens":0,"cache_writes":0,"cache_writes_1h":0,"service_tier":null,"tool_uses":{},"quota":0.0001,"uri":"/chat/completions","request_data":null,"response_data":null,"api_status":"200","api_error":null,
                "status":"completed","http_status":200,"duration_ms":812,"attempts":1,"stream":false,"cached":false,"estimated":false,
                "created_at":"2026-01-31T12:00:00.000Z","updated_at":"2026-01-31T12:00:00.812Z","md5":"…",
                "ttfb_ms":210,"wait_limits_ms":0,"wait_capacity_ms":0,"session":null,"rebuilt":false,"limits":["chat: 60 requests per minute"]}],
                "total":123,"instance":"relay-1:5001"}
                """#,
            listRecords
        ).taking(
            Field("caller, model, provider, endpoint, session", "the exact name"),
            Field(
                "status",
                """
                `completed`, `failed`, of those `failures` (5xx), `refusals` (429) or `client_errors` (other 4xx), `running`, or the HTTP \
                status of the response
                """
            ),
            Field(
                "from, to",
                "range of the request's end: days in `ADMIN_TIMEZONE` (inclusive), times in the format of RFC 3339, or in `ADMIN_TIMEZONE` as `2026-01-31T12:00`"
            ),
            Field("last", "instead of them `15m`, `1h`, `6h`, `24h`, or `7d`, `30d`, `90d`: days including today"),
            Field("min_cost", "the lowest cost, in dollars"),
            Field("min_duration", "the shortest duration, in milliseconds"),
            Field(
                "keywords",
                "a text in the request id, caller, model, provider, endpoint or error; at most 200 bytes"
            ),
            Field("before", "an id; only older records are listed"),
            Field("per_page", "1 to 200, by default 10"),
            Field("page", "from 1; pages cover the first 10,000 records"),
            Field("order_by", RecordOrder.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")),
            Field("order_dir", "`asc` or `desc`, the default")
        ),
        AdminRoute(
            .get,
            "/admin/req_figures",
            .reader,
            """
            Sums up the newest requests that match the filters of `/admin/req_logs`, at most 2,000: then `cut` is true. `p50_ms` and `p95_ms` are the \
            durations within which 50 % and 95 % of them ended, and `span_ms` is the time from the end of the oldest to the end of the newest. \
            `partial` is true if the search ended after one second.
            """,
            response: #"""
                {"status":0,"msg":"","data":{"requests":800,"failed":12,"failures":2,"refusals":9,"p50_ms":812,"p95_ms":2400,"prompt_tokens":16000,
                "completion_tokens":24000,"cost":0.8,"unpriced":3,"span_ms":3600000,"cut":false},"instance":"relay-1:5001"}
                """#,
            showRecordFigures
        ).taking(Field("the filters of `/admin/req_logs`", "all but `before`")),
        AdminRoute(
            .get,
            "/admin/req_logs/{id}",
            .reader,
            """
            Shows one record with its upstream calls in their order. `limits` lists the limits that counted the request. With `ADMIN_LOG_BODIES`, \
            `request_data` and `response_data` are the bodies: at most `ADMIN_BODY_KB` each, without images and audio, with keys replaced by `***`. \
            The body of an event stream is its generated text, `[{"content":"Hello"}]`, with the choices of one response in the order of their \
            arrival. Lists have no bodies. In memory, bodies use at most an eighth of `MEMORY_MB`; the oldest are deleted first.
            """,
            response: #"""
                {"status":0,"msg":"","data":{…,"calls":[{"time":"…","provider":"groq-1","key":"k1","model":"llama-3","duration_ms":800,
                "status":200,"error":null,"prompt":20,"completion":30,"cached_tokens":0,"cache_writes":0,"cache_writes_1h":0,
                "service_tier":null,"tool_uses":{},"quota":0.0001,"estimated":false,
                "bill":[{"unit":"prompt","amount":20,"price":0.000002,"product":0.00004}]}]},"instance":"relay-1:5001"}
                """#,
            showRecord
        ),
        AdminRoute(
            .delete,
            "/admin/req_logs/{id}",
            .writer,
            "Deletes a record with the records of its calls, and subtracts it from all sums.",
            response: #"{"status":0,"msg":"Deleted","data":"","instance":"relay-1:5001"}"#,
            deleteRecords
        ),
        AdminRoute(
            .delete,
            "/admin/req_logs/bulkDelete/{ids}",
            .writer,
            "Deletes up to 1,000 records by their ids, which are separated by commas. Ids of deleted records are ignored.",
            response: #"{"status":0,"msg":"Deleted","data":"","instance":"relay-1:5001"}"#,
            deleteRecords
        ),
        AdminRoute(
            .get,
            "/admin/running",
            .reader,
            "Lists the running requests of the responding instance. `waiting_for` is null, `limits`, `capacity` or `provider`.",
            response: #"""
                {"items":[{"id":"req_…","caller":"team","model":"fast","provider":"groq-1","age_ms":120,"waiting_for":"provider","bytes":0}],
                "total":1,"instance":"relay-1:5001"}
                """#,
            listRunning
        ),
    ]

    private static let usage: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/overview",
            .reader,
            """
            Shows the current figures. `minutes`, `today` and `yesterday` cover all instances that share the database; the other figures cover \
            the responding instance. `limits` lists the ten limits that are closest to being reached, in the form of `/admin/limits`.
            """,
            response: #"""
                {"status":0,"msg":"","data":{"minutes":[{"time":1769860800,"requests":12,"errors":3,"failures":1,"refusals":2}],"ttfb_ms":{"p50":210,"p95":900},
                "running":3,"waiting":1,"today":{"requests":800,"prompt_tokens":16000,"completion_tokens":24000,"cost":0.8,
                "cached_tokens":9000,"unpriced":3,"cost_is_partial":true},"yesterday":{…},
                "providers":[{"name":"groq-1","state":"ok","reason":null,"since":null,"keys":2,
                "bad_keys":[{"name":"k2","state":"unavailable","reason":"401","since":1769860800}]}],"limits":[…],"instances":[…]},"instance":"relay-1:5001"}
                """#,
            showOverview
        ),
        AdminRoute(
            .get,
            "/admin/live",
            .reader,
            "Streams the overview: an event `overview` every two seconds until the session ends. At most 32 streams can be open.",
            response: "event: overview\ndata: {…}",
            streamOverview
        ),
        AdminRoute(
            .get,
            "/admin/usage",
            .reader,
            """
            Shows sums of the records, as `relay usage` does. With `provider`, upstream calls are counted instead of requests. A panel's request \
            has the tokens of its summary and the cost of all its calls. `cost` is null if no price is known; `unpriced` is the number of \
            records that reached a vendor and have no price. Figures about cached tokens and missing prices are left out if they are 0. Without a database, the sums begin at \
            the start of the relay and include requests whose records were replaced by newer ones (`ADMIN_LOG_ENTRIES`).
            """,
            response: #"""
                {"items":[{"day":"2026-01-31","model":"fast","requests":800,"failed":2,"prompt_tokens":16000,"completion_tokens":24000,"cost":0.8,
                "cached_tokens":9000,"unpriced":3,"cost_is_partial":true}],
                "total":1,"sum":{"requests":800,"failed":2,"prompt_tokens":16000,"completion_tokens":24000,"cost":0.8,…},"instance":"relay-1:5001"}
                """#,
            showUsage
        ).taking(
            Field(
                "by",
                "one to three of `day` (the default), `model`, `caller`, `provider`, `endpoint`, separated by commas"
            ),
            Field("from, to", "days, both included"),
            Field("format", "`json` or `csv`")
        ),
        AdminRoute(
            .get,
            "/admin/timeline",
            .reader,
            """
            Shows sums of requests over time: by minute for up to 24 hours, else by hour for up to 8 days, else by day; by caller and endpoint \
            there are no hours. `times` are the starts of the steps, and `series` the numbers of `measure` in each of them: of the five largest \
            groups, and of all others. `items` has the sums of each group, and `sum` those of all. With `by=provider`, upstream calls are counted, \
            as in `/admin/usage`; with `by=cause`, the failed requests by error. `failures` are 5xx and streams that were cut off, `refusals` 429, and `client_errors` other 4xx. The percentiles are estimates \
            from 24 buckets; they are null for days by caller or endpoint, and in a time zone whose days do not begin with an hour. \
            `partial` is true if older records are still being summed, or the query ended after one second.
            """,
            response: #"""
                {"items":[{"model":"fast","failures":2,"refusals":0,"client_errors":1,"p50_ms":812,"p95_ms":2400,"first_byte_p50_ms":210,"first_byte_p95_ms":900,
                "requests":800,"failed":3,"prompt_tokens":16000,"completion_tokens":24000,"cost":0.8}],"total":1,"sum":{"failures":2,"refusals":0,"client_errors":1,
                "p50_ms":812,"p95_ms":2400,"first_byte_p50_ms":210,"first_byte_p95_ms":900,"requests":800,"failed":3,"prompt_tokens":16000,"completion_tokens":24000,"cost":0.8},
                "step":"hour","from":1769860800,"to":1769868000,"times":[1769860800,1769864400],"series":[{"measure":"requests","name":"fast","values":[500,300]}],"instance":"relay-1:5001"}
                """#,
            showTimeline
        ).taking(
            Field("last", "`15m`, `1h`, `6h`, `24h` (the default), or `7d`, `30d`, `90d`: days including today"),
            Field(
                "from, to",
                "instead of `last`: as for `/admin/req_logs`"
            ),
            Field("by", "`model`, `provider`, `caller`, `endpoint` or `cause`"),
            Field(
                "measure",
                "`requests` (the default), `failed`, `tokens`, `cost`, `outcome`, `duration`, `first_byte` (both p50 and p95), or several, separated by commas"
            ),
            Field("caller, model, provider, endpoint", "the exact name"),
            Field("format", "`json`, or `csv` for `items`")
        ),
        AdminRoute(
            .get,
            "/admin/statistics",
            .reader,
            "Shows the tokens of all records by model.",
            response:
                #"{"status":0,"msg":"","data":{"count":1,"rows":[{"model":"fast","prompt":100,"completion":50}]},"instance":"relay-1:5001"}"#,
            showStatistics
        ),
        AdminRoute(
            .get,
            "/admin/statistics_model_day",
            .reader,
            "Shows the tokens of the last seven days by model, as options of a chart library.",
            response: #"""
                {"status":0,"msg":"","data":{"xAxis":{"type":"category","data":["2026-01-01"]},"yAxis":{"type":"value"},
                "series":[{"name":"fast prompt","type":"line","data":[100]},{"name":"fast completion","type":"line","data":[50]}],
                "legend":{},"tooltip":{"trigger":"axis"}},"instance":"relay-1:5001"}
                """#,
            showModelDays
        ),
    ]
}
