import Engine
import Shared

extension AdminRoute {
    /// All paths of the operator's side. The reference in `docs/admin-api.md` is made from this table.
    static let all: [AdminRoute] = entrance + process

    private static let entrance: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin",
            .everybody,
            "The page; a form to log in for a visitor without a session.",
            response: "HTML",
            showAdminPage
        ),
        AdminRoute(
            .post,
            "/admin/login",
            .everybody,
            """
            Begins a session. Five logins a minute of each address, right or wrong, are answered over all instances; more get 429 \
            with `Retry-After`.
            """,
            response: #"{"status":0,"msg":"Login successful","data":{"token":"<session>"}}"#,
            logIn
        ).taking(Field("username", "`ADMIN_USERNAME`"), Field("password", "`ADMIN_PASSWORD`")),
        AdminRoute(
            .get,
            "/admin/logout",
            .everybody,
            "Ends the session and sends the browser to `/admin`.",
            response: "302",
            logOut
        ),
    ]

    private static let process: [AdminRoute] = [
        AdminRoute(
            .get,
            "/admin/config",
            .reader,
            """
            The settings in force, secrets masked, with the sources they come from, warnings as `relay check` prints them, and the \
            last 100 actions of operators.
            """,
            response: """
                {"status":0,"msg":"","data":{"sources":["environment"],"content":"HOST=0.0.0.0  # default\n…",
                "settings":[{"name":"HOST","value":"0.0.0.0","source":"default","changed":false}],"warnings":[],
                "actions":[{"time":"2026-01-31T12:00:00.000Z","user":"admin","address":"192.0.2.1","act":"login","target":""}]}}
                """,
            showSettings
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
