import Engine
import Shared

extension AdminRoute {
    /// The admin routes for limits, providers, the cache, settings and instances.
    static let ofOperation: [AdminRoute] = state + cache + process

    private static let state: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/limits",
            .reader,
            """
            Lists the usage of the limits that count all callers together (`caller` is null; on the first page only), then of the limits of all \
            known keys, then of the callers with the most requests today. `total` is the number of callers. \
            `resets_at` is the time, in seconds since 1970, at which all units that are used now are free again; null if none is used. \
            `shared` is false if the figures count only the requests of this instance. Limits by address are not listed.
            """,
            response: #"""
                {"items":[{"id":"chat.usd.3500000000.86400","caller":"team","limit":"chat","model":null,"unit":"usd","quota":"3.50 usd per day",
                "used":"1.20","left":"2.30","resets_at":1769947200,"waiting":0}],"total":1,"shared":true,"instance":"relay-1:5001"}
                """#,
            listLimits
        ).taking(
            Field("caller", "the NAME of a key, or the 16 characters of the caller in the log"),
            Field("page", "the page number; a page has 200 callers")
        ),
        AdminRoute(
            .post,
            "/admin/limits/reset",
            .writer,
            """
            Resets the usage of one limit to 0, of one caller or of all callers together. Other instances may reject requests for ten more seconds. \
            Without memcached, only the responding instance resets the limit, and `all_instances` is false. 404 if the caller or the limit does \
            not exist; 400 if the caller is named but the limit counts all callers together.
            """,
            response: #"{"status":0,"msg":"Limit reset","data":{"all_instances":true},"instance":"relay-1:5001"}"#,
            resetLimit
        ).taking(
            Field("caller", "the caller, as in `/admin/limits`; leave it out for a limit whose `caller` is null"),
            Field("id", "the id of the limit, as in `/admin/limits`")
        ),
        AdminRoute(
            .get,
            "/admin/provider",
            .reader,
            """
            Lists the models of each provider, one row per model, in the state that the responding instance has recorded. `state` is `ok`, \
            `full`, `cooldown until …`, `circuit open until …` or `unavailable` (this time is over, or the provider could not be reached, and no call \
            was served since). `reason` and `since` (Unix seconds) say why; they are null if the last call was served. `p50_ms`, `p95_ms` and `errors` cover the last hour of the whole provider: the \
            times from a request's first upstream call to the end of its response (null if there were none), and the failures by cause.
            """,
            response: #"""
                {"items":[{"name":"groq-1","provider":"openai","mapped_model":"fast","original_model":"llama-3","base_url":"https://…",
                "api_key":"sk-1...f4","weight":1.0,"priority":1,"cost":"0.001/0.004","state":"ok",
                "reason":null,"since":null,"keys":[{"name":"k1","weight":1.0,"state":"unavailable","reason":"401","since":1769860800}],"p50_ms":800,"p95_ms":2400,"errors":{"timeout":2}}],"total":1,"instance":"relay-1:5001"}
                """#,
            listProviders
        ),
        AdminRoute(
            .post,
            "/admin/provider/{name}/resume",
            .writer,
            "Ends the cooldown of a provider in all instances within ten seconds. The body is a JSON object, which may be empty.",
            response: #"{"status":0,"msg":"Resumed","data":"","instance":"relay-1:5001"}"#,
            resumeProvider
        ).taking(
            Field(
                "key",
                "the name of the key (`k1`) whose cooldown ends; default: all keys, and the circuit breaker closes"
            )
        ),
        AdminRoute(
            .get,
            "/admin/instances",
            .reader,
            """
            Lists the relays that share this memcached and have `ADMIN_PASSWORD`; without memcached, this relay only. `silent` is true if a relay \
            has not reported its state for 30 seconds. `settings` are the first digits of a digest: if they differ, the settings differ.
            """,
            response: #"""
                {"items":[{"name":"relay-1:5001","version":"0.1.0","started_at":1769860800,"requests_per_minute":12,"running":3,"memory_mb":40,
                "longest_turn_ms":2,"store":"ok","settings":"0123456789ab","silent":false,"seen_at":1769860860,"age_s":4}],"total":1,"instance":"relay-1:5001"}
                """#,
            listInstances
        ),
    ]

    private static let cache: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/req_cache",
            .reader,
            """
            Lists the cache entries of the responding instance. Entries of `CACHE_STORE=memcached` and `data` are encrypted with their requests, \
            so they are not listed.
            """,
            response: #"""
                {"items":[{"id":1,"created_at":"2026-01-31T12:00:00.000Z","updated_at":"2026-01-31T12:00:00.000Z","md5":"…","req":null,"resp":null,
                "hit_count":2,"model":"fast","caller":"team","bytes":900}],"total":1,"store":"memory","bytes":900,"hits":2,"instance":"relay-1:5001"}
                """#,
            listCache
        ).taking(
            Field("keywords", "a text in the id, model or caller"),
            Field("per_page", "1 to 200, by default 10"),
            Field("page", "from 1"),
            Field("order_by", "`id`, `hit_count`, `updated_at`, `bytes`"),
            Field("order_dir", "`asc` or `desc`, the default")
        ),
        AdminRoute(
            .get,
            "/admin/req_cache/{id}",
            .reader,
            "Shows one entry. With `ADMIN_LOG_BODIES`, `req` and `resp` are the bodies, as in `/admin/req_logs/{id}`; lists have no bodies.",
            response: #"{"status":0,"msg":"","data":{…},"instance":"relay-1:5001"}"#,
            showCached
        ),
        AdminRoute(
            .get,
            "/admin/req_cache/md5/{md5}",
            .reader,
            "Shows the entry with this digest of 32 hexadecimal digits.",
            response: #"{"status":0,"msg":"","data":{…},"instance":"relay-1:5001"}"#,
            showCached
        ),
        AdminRoute(.delete, "/admin/req_cache/{id}", .writer, "Deletes an entry.", response: deleted, deleteCached),
        AdminRoute(
            .delete,
            "/admin/req_cache/md5/{md5}",
            .writer,
            "Deletes the entry with this digest of 32 hexadecimal digits.",
            response: deleted,
            deleteCached
        ),
        AdminRoute(
            .delete,
            "/admin/req_cache/bulkDelete/{ids}",
            .writer,
            "Deletes the entries with these ids, which are separated by commas.",
            response: deleted,
            deleteCached
        ),
        AdminRoute(
            .delete,
            "/admin/req_cache",
            .writer,
            """
            Deletes all entries in the instance's memory or `DATA_DIR`. With `CACHE_STORE=memcached`, deletes the entries of all instances; the \
            other instances stop using them within two seconds. 503 if memcached cannot be reached.
            """,
            response: deleted,
            clearCache
        ),
    ]

    private static let deleted = #"{"status":0,"msg":"Deleted","data":"","instance":"relay-1:5001"}"#

    private static let process: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/config",
            .reader,
            """
            Shows the effective settings with masked secrets, the source of each setting, the warnings of `relay check`, and the last 100 \
            actions of operators.
            """,
            response: #"""
                {"status":0,"msg":"","data":{"sources":["environment"],"content":"HOST=0.0.0.0  # default\n…",
                "settings":[{"name":"HOST","value":"0.0.0.0","source":"default","changed":false}],"warnings":[],"waiting_for_restart":["PORT"],
                "actions":[{"time":"2026-01-31T12:00:00.000Z","user":"admin","address":"192.0.2.1","act":"login","target":""}]},
                "instance":"relay-1:5001"}
                """#,
            showSettings
        ),
        AdminRoute(
            .get,
            "/admin/clients",
            .reader,
            """
            Returns settings to paste into a caller's programs: `curl`, SDKs, chat pages and agents, with the relay's address and a model that \
            the caller may use. No text contains the key; the variable `RELAY_KEY` stands for it. `callers` and `models` list the choices; any \
            other value is a 404.
            """,
            response: #"""
                {"items":[{"name":"curl","place":"a shell","text":"curl …"}],"total":7,"address":"https://relay.example.org","kind":"known",
                "key":"team","model":"fast","models":["fast"],"callers":[{"kind":"known","key":"team"}],"instance":"relay-1:5001"}
                """#,
            listClients
        ).taking(
            Field(
                "kind",
                "`known`, `anonymous` (no key), or `passthrough` (a vendor's key); default: the first that the relay allows"
            ),
            Field("key", "the NAME of a known key"),
            Field("model", "a model that the caller may use; default: the first one")
        ),
        AdminRoute(
            .post,
            "/admin/reload",
            .writer,
            "Reloads the settings of the responding instance, with the responses of `/reload_config`. 403 with `RELOAD_ACCESS=off`.",
            response:
                #"{"status":0,"msg":"Configuration reloaded","waiting_for_restart":["PORT"],"instance":"relay-1:5001"}"#,
            reloadByOperator
        ),
    ]
}
