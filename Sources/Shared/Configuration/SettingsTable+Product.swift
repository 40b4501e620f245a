import Engine
import Limits

extension SettingsTable {
    /// The table of all settings that the relay knows.
    package static let product = SettingsTable(
        sections: sections,
        families: [.keys, .groups, .providers, .panels],
        ownPrefixes: ["PROVIDER_", "PANEL_", "RATE_LIMIT_", "ONE_MIN_", "SUBSET_OF_", "PERMIT_MODELS_"],
        sharedPrefixes: [
            "KEY_", "GROUP_", "CACHE_", "ADMIN_", "MEMCACHED_", "CONFIG_", "USAGE_", "BUDGET_", "FALLBACK_", "BREAKER_",
            "BALANCE_", "GENERATE_", "RELOAD_", "FETCH_", "AFFINITY_", "ANONYMOUS_",
        ],
        exampleHeading: """
            # Settings of the relay. Copy this file to .env and uncomment the lines that you change.
            # Environment variables override this file. Times: 500ms, 30s, 5m, 2h; a number without a unit is in seconds.
            # Made from the table of settings: UPDATE_EXAMPLE=1 swift test --filter ExampleTests

            """
    )

    private static let endpointHelp = "limits of each caller for this group of endpoints, in place of RATE_LIMIT"

    private static let sections = [
        SettingSection(
            "Serving",
            SettingRow("HOST", .address, "0.0.0.0").help("address to listen on"),
            SettingRow("PORT", .number(1...65_535), "5001").help("port to listen on"),
            SettingRow("THREADS", .number(0...256), "0").help("number of event loops; 0: one per core"),
            SettingRow("PUBLIC_URL", .url).help("public URL of the relay, if it is behind a proxy"),
            SettingRow("PUBLIC_USAGE_PAGE", .boolean, "false")
                .help("true: /usage is a page on which callers see their own limits and usage"),
            SettingRow("NOT_FOUND_REDIRECT_URL", .url)
                .help("URL to which browsers are redirected from unknown paths; default: none (status 404)"),
            SettingRow("CORS_ORIGINS", .origins, "*").help("origins of web pages that may call the API"),
            SettingRow("MEMORY_MB", .megabytes(MemorySettings.minMegabytes...1_048_576))
                .help(
                    "memory budget for request and response data; default: half of the available memory, at most 512"
                ),
            SettingRow("MAX_BODY_MB", .megabytes(1...1_024))
                .help("largest JSON body; default: an eighth of MEMORY_MB, at most 32"),
            SettingRow("MAX_IMAGES", .number(1...1_000), "100").help("largest number of images in one chat"),
            SettingRow("MAX_UPLOAD_MB", .megabytes(1...16_384), "512").help("largest file upload"),
            SettingRow("SHUTDOWN_SECONDS", .duration(.zero ... .seconds(3_600)), "30")
                .help("time that running requests get to finish at shutdown"),
            SettingRow("RELOAD_ACCESS", .choice(of: ReloadAccess.self))
                .help(
                    "access to /reload_config; default: admin if ADMIN_PASSWORD is set, else local (this machine only)"
                ),
            SettingRow("METRICS_TOKEN", .token, trait: .secret)
                .help("bearer token for GET /metrics; default: open to everyone")
        ),
        SettingSection(
            "Settings from a URL (set in the environment or the .env file)",
            SettingRow("CONFIG_URL", .document, trait: .secret)
                .help("URL of a document with more settings, in the format of a .env file"),
            SettingRow("CONFIG_KEY", .phrase, trait: .secret)
                .help("key that decrypts the CONFIG_URL document; default: the document is not encrypted"),
            SettingRow("CONFIG_REQUIRED", .boolean, "true")
                .help("false: start even if the CONFIG_URL document cannot be downloaded"),
            SettingRow("CONFIG_REFRESH_SECONDS", .duration(.zero ... .seconds(86_400)), "0")
                .help("interval at which CONFIG_URL is downloaded again; 0: never")
        ),
        SettingSection(
            "Compose file (the relay accepts and ignores these settings)",
            SettingRow("COMPOSE_FILE", .path, "docker-compose.yml")
                .help(
                    "docker-compose.yml:deploy/data.yml keeps the records of one relay, docker-compose.yml:deploy/postgres.yml those of several"
                ),
            SettingRow("RELAYS", .number(1...1_000), "1").help("number of relay containers"),
            SettingRow("PUBLISH", .published, "5001").help("published port of the proxy, or its address:port")
        ),
        SettingSection(
            "Callers",
            SettingRow("ANONYMOUS_MODELS", .patterns).help("models that callers without a key may use; default: none")
        ),
        SettingSection(
            "Limits",
            SettingRow("RATE_LIMIT", .limits, "60/minute").help("limits of each caller for each group of endpoints"),
            SettingRow("RATE_LIMIT_CHAT", .limits).help(endpointHelp),
            SettingRow("RATE_LIMIT_IMAGES", .limits).help(endpointHelp),
            SettingRow("RATE_LIMIT_AUDIO", .limits).help(endpointHelp),
            SettingRow("RATE_LIMIT_FILES", .limits).help(endpointHelp),
            SettingRow("RATE_LIMIT_MODELS", .limits).help(endpointHelp),
            SettingRow("RATE_LIMIT_BY_MODEL", .modelLimits)
                .help("limits of each caller for each model; the first matching pattern counts"),
            SettingRow("RATE_LIMIT_SESSION", .limits)
                .help("limits of each session of an agent, by the header that names it"),
            SettingRow("RATE_LIMIT_USER", .limits).help("limits of each end user behind each known key"),
            SettingRow("RATE_LIMIT_USER_FROM", .words, "safety_identifier,user")
                .help("where requests name their end user: fields of the body, names of headers; the first one counts"),
            SettingRow("RATE_LIMIT_TOTAL", .limits).help("limits that all callers of all instances share"),
            SettingRow("BUDGET_CONTACT", .text)
                .help(
                    "sentence at the end of the error for a used-up budget, for example whom to ask; up to 200 characters"
                ),
            SettingRow("BUDGET_ALERT_URL", .url, trait: .secret)
                .help("URL that gets a POST when a budget in usd or credits reaches a mark: Slack, Teams or your own"),
            SettingRow("BUDGET_ALERTS", .words, "80,100")
                .help("marks of these budgets in percent, each of which is logged and posted once"),
            SettingRow("RATE_LIMIT_BY", .choice(of: LimitSettings.Identity.self), "key")
                .help("how limits identify callers"),
            SettingRow("RATE_LIMIT_FAILED_AUTH", .limits, "20/minute")
                .help("limits of requests with invalid keys from each address"),
            SettingRow("RATE_LIMIT_STORE_DOWN", .choice(of: StoreDownRule.self), StoreDownRule.share.rawValue)
                .help("policy for limits while memcached is unavailable"),
            SettingRow("RATE_LIMIT_INSTANCES", .number(1...100_000))
                .help(
                    "number of instances that divide a limit while memcached is unavailable; default: those last seen alive"
                ),
            SettingRow("RATE_LIMIT_WAITING", .number(1...100_000), "1000")
                .help("most requests of one instance that wait for their turn (RATE_LIMIT_WAIT); half of one caller"),
            SettingRow("SLOT_SECONDS", .duration(.seconds(5) ... .seconds(3_600)), "30")
                .help("time until concurrency slots of a crashed instance are released"),
            SettingRow("TRUSTED_PROXIES", .networks).help("networks of proxies whose X-Forwarded-For is trusted"),
            SettingRow("MEMCACHED_HOST", .host)
                .help(
                    "host of the memcached that all instances share; auto: search for it; default: limits are counted in memory"
                ),
            SettingRow("MEMCACHED_PORT", .linkedPort, "11211").help("port of memcached"),
            SettingRow("MEMCACHED_SERVERS", .servers)
                .help("several memcached servers, as host:port, in place of MEMCACHED_HOST"),
            SettingRow("STORE_SECRET", .token, trait: .secret)
                .help(
                    "secret, the same for all instances, from which the names of counters in memcached are made; default: unkeyed digests"
                ),
            SettingRow("MEMCACHED_TIMEOUT", .duration(.milliseconds(1) ... .seconds(10)), "250ms")
                .help("longest time that a request waits for memcached")
        ),
        SettingSection(
            "Images and files",
            SettingRow("FETCH_IMAGES", .choice(of: FetchSettings.Kind.self), FetchSettings.Kind.https.rawValue)
                .help(
                    "schemes of image URLs that the relay downloads (never through the proxy); http: http and https"
                ),
            SettingRow("FETCH_ALLOW_NETWORKS", .networks)
                .help("private networks from which images, and results on other hosts, may be downloaded"),
            SettingRow("FILE_ID_SECRET", .token, trait: .secret)
                .help("secret that encrypts file ids and stored responses; default: the caller's own key")
        ),
        SettingSection(
            "Models",
            SettingRow("DEFAULT_MODEL", .model)
                .help("model for chats, responses, messages and completions without a model"),
            SettingRow("FALLBACK_MODEL", .model).help("model for requests whose model no provider serves"),
            SettingRow("GENERATE_MODEL", .model)
                .help("model for /generate; default: the model of each provider, cheapest first"),
            SettingRow("ONE_MIN_LINKS", .choice(["keep", "off"]), "keep")
                .help("off: YouTube links in prompts are altered, so that 1min.ai neither reads nor charges them"),
            SettingRow("MODEL_REPLACEMENTS", .replacements).help("replacements for retired models, as old:new"),
            SettingRow("SUBSET_OF_ONE_MIN_PERMITTED_MODELS", .names, Settings.subsetOfOneMin.joined(separator: ","))
                .help(
                    "models of 1min.ai that are listed first; with PERMIT_MODELS_FROM_SUBSET_ONLY the only ones allowed"
                ),
            SettingRow("PERMIT_MODELS_FROM_SUBSET_ONLY", .boolean, "false")
                .help("true: no other models of 1min.ai are allowed")
        ),
        SettingSection(
            "Upstream",
            SettingRow("ONE_MIN_BASE_URL", .url, "https://api.1min.ai").help("base URL of 1min.ai's API"),
            SettingRow("ONE_MIN_ASSET_URL", .url, "https://asset.1min.ai").help("base URL of 1min.ai's result files"),
            SettingRow("ONE_MIN_API_KEYS", .tokens, trait: .secret)
                .help("the relay's own keys for 1min.ai; older name of PROVIDER_ONEMIN_API_KEYS"),
            SettingRow("ONE_MIN_MODELS_REFRESH", .duration(.zero ... .seconds(2_592_000)), "1h")
                .help("interval at which 1min.ai's model list is read; 0: never"),
            SettingRow("UPSTREAM_PROXY", .proxy).help("proxy for outgoing connections; HTTP_PROXY is ignored"),
            SettingRow("SSL_CERT_FILE", .file).help("PEM file of additional trusted certificate authorities"),
            SettingRow("PROVIDERS", .words).help("order of the providers; providers that are not listed follow by name")
        ),
        .balance,
        .cache,
        SettingSection(
            "Log",
            SettingRow("LOG_LEVEL", .choice(of: LogLevel.self), "info").help("lowest level that is logged"),
            SettingRow("LOG_FORMAT", .choice(of: LogFormat.self), "text").help("format of log lines")
        ),
        .usage,
        SettingSection(
            "Traces (not supported by this version: nothing is sent)",
            SettingRow("OTEL_EXPORTER_OTLP_ENDPOINT", .url)
                .help("OpenTelemetry collector that receives traces (OTLP over HTTP); default: none")
        ),
        .admin,
        SettingSection(
            "Configuration",
            SettingRow("ENV_FILE", .file, ".env").help("settings file; read from the process environment only"),
            SettingRow("STRICT_CONFIG", .boolean, "true").help("false: unknown setting names are warnings, not errors")
        ),
    ]
}

extension SettingType {
    /// The type of settings that contain a network timeout: 1 ms to 24 hours.
    static let timeout = SettingType.duration(.milliseconds(1) ... .seconds(86_400))
}
