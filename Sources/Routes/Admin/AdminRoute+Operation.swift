import Engine
import Shared

extension AdminRoute {
    /// The paths for limits, providers, the cache, settings and instances.
    static let ofOperation: [AdminRoute] = state + cache + process

    private static let state: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/limits",
            .reader,
            """
            The use of limits of all known keys, then of the callers who asked most today. `total` counts callers. `resets_at` is the second \
            since 1970 at which all that is used now is free again, null if nothing is used. `shared` is false where the figures \
            are those of this instance alone. Limits that count by address are left out.
            """,
            response: #"""
                {"items":[{"id":"chat.usd.3500000000.86400","caller":"team","limit":"chat","model":null,"unit":"usd","quota":"3.50 usd per day",
                "used":"1.20","left":"2.30","resets_at":1769947200,"waiting":0}],"total":1,"shared":true,"instance":"relay-1:5001"}
                """#,
            listLimits
        ).taking(
            Field("caller", "the NAME of a key, or the 16 characters by which the log calls a caller"),
            Field("page", "of 200 callers each")
        ),
        AdminRoute(
            .post,
            "/admin/limits/reset",
            .writer,
            """
            Sets the use of one limit of one caller to 0. Other instances may refuse the caller for ten seconds more. Without memcached \
            it holds for the instance that answers, and `all_instances` is false. 404 if there is no such caller or limit.
            """,
            response: #"{"status":0,"msg":"Limit reset","data":{"all_instances":true},"instance":"relay-1:5001"}"#,
            resetLimit
        ).taking(Field("caller", "as in `/admin/limits`"), Field("id", "as in `/admin/limits`")),
        AdminRoute(
            .get,
            "/admin/provider",
            .reader,
            """
            The providers with their models, a row each, as the instance that answers sees them. `state` is `ok`, `full`, `cooldown until …` or \
            `circuit open until …`. Of the last hour, for the provider as a whole: `p50_ms` and `p95_ms` are times from the first call for a request \
            to the end of its response (null without any), `errors` the failures by cause.
            """,
            response: #"""
                {"items":[{"name":"groq-1","provider":"openai","mapped_model":"fast","original_model":"llama-3","base_url":"https://…",
                "api_key":"sk-1...f4","weight":1.0,"priority":1,"cost":"0.001/0.004","state":"ok",
                "keys":[{"name":"k1","weight":1.0,"state":"ok"}],"p50_ms":800,"p95_ms":2400,"errors":{"timeout":2}}],"total":1,"instance":"relay-1:5001"}
                """#,
            listProviders
        ),
        AdminRoute(
            .post,
            "/admin/provider/{name}/resume",
            .writer,
            "Has a provider used again, in all instances within ten seconds. The body is an object, perhaps empty.",
            response: #"{"status":0,"msg":"Resumed","data":"","instance":"relay-1:5001"}"#,
            resumeProvider
        ).taking(
            Field(
                "key",
                "the name of a key (`k1`), whose cooldown ends; absent: all keys, and the circuit breaker closes"
            )
        ),
        AdminRoute(
            .get,
            "/admin/instances",
            .reader,
            """
            The relays at the same memcached that have the operator's side on; without memcached this one. `silent` is true for one that has not \
            told anything for 30 seconds. `settings` are digits of a digest: relays with other digits have other settings.
            """,
            response: #"""
                {"items":[{"name":"relay-1:5001","version":"0.1.0","started_at":1769860800,"requests_per_minute":12,"running":3,"memory_mb":40,
                "longest_turn_ms":2,"store":"ok","settings":"0123456789ab","silent":false,"seen_at":1769860860}],"total":1,"instance":"relay-1:5001"}
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
            The answers in the cache of the instance that answers. Those of `CACHE_STORE=memcached` and `data` are sealed by their requests: \
            they are not listed.
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
            "One entry. With `ADMIN_LOG_BODIES`, `req` and `resp` are the bodies, as in `/admin/req_logs/{id}`; lists have none.",
            response: #"{"status":0,"msg":"","data":{…},"instance":"relay-1:5001"}"#,
            showCached
        ),
        AdminRoute(
            .get,
            "/admin/req_cache/md5/{md5}",
            .reader,
            "The same, by its 32 digits.",
            response: #"{"status":0,"msg":"","data":{…},"instance":"relay-1:5001"}"#,
            showCached
        ),
        AdminRoute(.delete, "/admin/req_cache/{id}", .writer, "Deletes an entry.", response: deleted, deleteCached),
        AdminRoute(
            .delete,
            "/admin/req_cache/md5/{md5}",
            .writer,
            "The same, by its 32 digits.",
            response: deleted,
            deleteCached
        ),
        AdminRoute(
            .delete,
            "/admin/req_cache/bulkDelete/{ids}",
            .writer,
            "Deletes entries, whose ids are separated by commas.",
            response: deleted,
            deleteCached
        ),
        AdminRoute(
            .delete,
            "/admin/req_cache",
            .writer,
            """
            Deletes all entries of the instance's memory or `DATA_DIR`. With `CACHE_STORE=memcached` those of all instances: the others \
            find none of them two seconds later. 503 if memcached cannot be reached.
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
            The settings in force, secrets masked, with the sources they come from, warnings as `relay check` prints them, and the \
            last 100 actions of operators.
            """,
            response: #"""
                {"status":0,"msg":"","data":{"sources":["environment"],"content":"HOST=0.0.0.0  # default\n…",
                "settings":[{"name":"HOST","value":"0.0.0.0","source":"default","changed":false}],"warnings":[],
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
            The settings to paste into programs of a caller: `curl`, SDKs, chat pages and agents, with the relay's address and a model that the \
            caller may use. The variable `RELAY_KEY` stands for the key, which is in no text. `callers` and `models` are the choices. 404 for another one.
            """,
            response: #"""
                {"items":[{"name":"curl","place":"a shell","text":"curl …"}],"total":7,"address":"https://relay.example.org","kind":"known",
                "key":"team","model":"fast","models":["fast"],"callers":[{"kind":"known","key":"team"}],"instance":"relay-1:5001"}
                """#,
            listClients
        ).taking(
            Field(
                "kind",
                "`known`, `anonymous` (no key), or `passthrough` (a key of a vendor's); the first that there is"
            ),
            Field("key", "the NAME of a known key"),
            Field("model", "a model that the caller may use; the first one")
        ),
        AdminRoute(
            .post,
            "/admin/reload",
            .writer,
            "Reads the settings anew in the instance that answers, with the responses of `/reload_config`. 403 with `RELOAD_ACCESS=off`.",
            response: #"{"status":0,"msg":"Configuration reloaded","instance":"relay-1:5001"}"#,
            reloadByOperator
        ),
    ]
}
