/// Every setting there is. Reading, checks, `.env.example`, the help text and the hints for misspelt names come from
/// here: a new setting is a row here, and a field of `Settings` that takes its value.
package struct SettingsTable: Sendable {
    package let sections: [SettingSection]
    package let families: [SettingFamily]
    /// The rows of all sections.
    let globals: [SettingRow]

    package init(sections: [SettingSection], families: [SettingFamily]) {
        self.sections = sections
        self.families = families
        globals = sections.flatMap(\.rows)
    }

    package static let product = SettingsTable(
        sections: [
            SettingSection(
                "Serving",
                [
                    SettingRow("HOST", .address, "0.0.0.0", "address to listen on"),
                    SettingRow("PORT", .number(1...65_535), "5001", "port to listen on"),
                    SettingRow("THREADS", .number(0...256), "0", "event loops; 0 = one a core"),
                    SettingRow("PUBLIC_URL", .url, "", "address that clients see, where a proxy stands in front"),
                    SettingRow("CORS_ORIGINS", .origins, "*", "origins of web pages that may call"),
                    SettingRow(
                        "MEMORY_MB",
                        .megabytes(MemorySettings.leastMegabytes...1_048_576),
                        "",
                        "for all that others send; unset: half of what there is, at most 512"
                    ),
                    SettingRow(
                        "MAX_BODY_MB",
                        .megabytes(1...1_024),
                        "",
                        "largest JSON body; unset: an eighth of MEMORY_MB, at most 32"
                    ),
                    SettingRow("MAX_UPLOAD_MB", .megabytes(1...16_384), "512", "largest upload"),
                    SettingRow(
                        "SHUTDOWN_SECONDS",
                        .duration(.zero ... .seconds(3_600)),
                        "30",
                        "time to finish at exit"
                    ),
                    SettingRow("METRICS_TOKEN", .token, "", "bearer for GET /metrics; unset: open to all", .secret),
                ]
            ),
            SettingSection(
                "Compose file (it alone reads these; the relay takes them anywhere, and they change nothing in it)",
                [
                    SettingRow("RELAYS", .number(1...1_000), "1", "how many relays run"),
                    SettingRow("PUBLISH", .published, "5001", "published port of the proxy, or address:port"),
                ]
            ),
            SettingSection(
                "Callers",
                [SettingRow("ANONYMOUS_MODELS", .patterns, "", "models that need no key; unset: none")]
            ),
            SettingSection(
                "Limits",
                [
                    SettingRow("RATE_LIMIT", .limits, "60/minute", "each caller, each group of endpoints"),
                    SettingRow("RATE_LIMIT_CHAT", .limits, "", "each caller's chat requests, in place of RATE_LIMIT"),
                    SettingRow(
                        "RATE_LIMIT_IMAGES",
                        .limits,
                        "",
                        "each caller's images requests, in place of RATE_LIMIT"
                    ),
                    SettingRow("RATE_LIMIT_AUDIO", .limits, "", "each caller's audio requests, in place of RATE_LIMIT"),
                    SettingRow("RATE_LIMIT_FILES", .limits, "", "each caller's files requests, in place of RATE_LIMIT"),
                    SettingRow(
                        "RATE_LIMIT_MODELS",
                        .limits,
                        "",
                        "each caller's models requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_BY_MODEL",
                        .modelLimits,
                        "",
                        "each caller and model; of the patterns the first that fits"
                    ),
                    SettingRow("RATE_LIMIT_TOTAL", .limits, "", "all callers of all instances together"),
                    SettingRow(
                        "RATE_LIMIT_BY",
                        .choice(LimitSettings.Identity.allCases.map(\.rawValue)),
                        "key",
                        "who a caller is"
                    ),
                    SettingRow("RATE_LIMIT_FAILED_AUTH", .limits, "20/minute", "wrong keys, each address"),
                    SettingRow(
                        "RATE_LIMIT_STORE_DOWN",
                        .choice(StoreDownRule.allCases.map(\.rawValue)),
                        StoreDownRule.share.rawValue,
                        "what holds while memcached is away"
                    ),
                    SettingRow(
                        "RATE_LIMIT_INSTANCES",
                        .number(1...100_000),
                        "",
                        "instances that share what is left then; unset: as many as are alive"
                    ),
                    SettingRow(
                        "SLOT_SECONDS",
                        .duration(.seconds(5) ... .seconds(3_600)),
                        "30",
                        "how long a slot of a dead instance is held"
                    ),
                    SettingRow("TRUSTED_PROXIES", .networks, "", "whose X-Forwarded-For is believed"),
                    SettingRow(
                        "MEMCACHED_HOST",
                        .host,
                        "",
                        "counts for all instances; auto: looked for; unset: memory"
                    ),
                    SettingRow("MEMCACHED_PORT", .linkedPort, "11211", "its port"),
                    SettingRow("MEMCACHED_SERVERS", .servers, "", "several, as host:port"),
                    SettingRow(
                        "MEMCACHED_TIMEOUT",
                        .duration(.milliseconds(1) ... .seconds(10)),
                        "250ms",
                        "of what a request waits for it"
                    ),
                ]
            ),
            SettingSection(
                "Pictures and files",
                [
                    SettingRow(
                        "FETCH_IMAGES",
                        .choice(FetchSettings.Kind.allCases.map(\.rawValue)),
                        FetchSettings.Kind.https.rawValue,
                        "which URLs of pictures are fetched; http: both; no proxy is used"
                    ),
                    SettingRow(
                        "FETCH_ALLOW_NETWORKS",
                        .networks,
                        "",
                        "private networks that pictures, and results elsewhere than on the asset host, are read from"
                    ),
                    SettingRow(
                        "FILE_ID_SECRET",
                        .token,
                        "",
                        "seals the ids of files; unset: the caller's own key does",
                        .secret
                    ),
                ]
            ),
            SettingSection(
                "Models",
                [
                    SettingRow("DEFAULT_MODEL", .model, "", "for requests without a model"),
                    SettingRow("FALLBACK_MODEL", .model, "", "for requests whose model nobody serves"),
                    SettingRow(
                        "SUBSET_OF_ONE_MIN_PERMITTED_MODELS",
                        .names,
                        "gpt-4o-mini,gpt-4o,o3-mini",
                        "models of 1min.ai that are listed first"
                    ),
                    SettingRow(
                        "PERMIT_MODELS_FROM_SUBSET_ONLY",
                        .boolean,
                        "false",
                        "true: no other models of 1min.ai may be used"
                    ),
                ]
            ),
            SettingSection(
                "Upstream",
                [
                    SettingRow("ONE_MIN_BASE_URL", .url, "https://api.1min.ai", "the API of 1min.ai"),
                    SettingRow("ONE_MIN_ASSET_URL", .url, "https://asset.1min.ai", "where 1min.ai keeps results"),
                    SettingRow(
                        "ONE_MIN_API_KEYS",
                        .tokens,
                        "",
                        "the relay's own keys of 1min.ai, where no provider is declared",
                        .secret
                    ),
                    SettingRow(
                        "ONE_MIN_MODELS_REFRESH",
                        .duration(.zero ... .seconds(2_592_000)),
                        "1h",
                        "how often 1min.ai's list of models is read; 0 = never"
                    ),
                    SettingRow("UPSTREAM_PROXY", .proxy, "", "proxy for all that goes out; HTTP_PROXY is not read"),
                    SettingRow("SSL_CERT_FILE", .file, "", "PEM file of authorities to trust besides the system's"),
                    SettingRow("PROVIDERS", .list, "", "order of the providers; the rest follow by name"),
                ]
            ),
            SettingSection(
                "Log",
                [
                    SettingRow("LOG_LEVEL", .choice(LogLevel.allCases.map(\.rawValue)), "info", "least level written"),
                    SettingRow("LOG_FORMAT", .choice(LogFormat.allCases.map(\.rawValue)), "text", "form of a line"),
                ]
            ),
            SettingSection(
                "Configuration",
                [
                    SettingRow("ENV_FILE", .file, ".env", "file of settings; read from the process environment only"),
                    SettingRow("STRICT_CONFIG", .boolean, "true", "false: unknown names are warnings"),
                ]
            ),
        ],
        families: [
            SettingFamily(
                "KEY_",
                declaring: "TOKEN",
                "Known callers",
                [
                    SettingRow(
                        "TOKEN",
                        .tokens,
                        "",
                        "declares a caller: what it sends as its key; several: any of them",
                        .secret
                    ),
                    SettingRow("MODELS", .patterns, "all", "models that it may use"),
                    SettingRow("RATE_LIMIT", .limits, "", "all its requests together"),
                    SettingRow("RATE_LIMIT_CHAT", .limits, "", "its chat requests, in place of every caller's"),
                    SettingRow("RATE_LIMIT_IMAGES", .limits, "", "its images requests, in place of every caller's"),
                    SettingRow("RATE_LIMIT_AUDIO", .limits, "", "its audio requests, in place of every caller's"),
                    SettingRow("RATE_LIMIT_FILES", .limits, "", "its files requests, in place of every caller's"),
                    SettingRow("RATE_LIMIT_MODELS", .limits, "", "its models requests, in place of every caller's"),
                ]
            ),
            SettingFamily(
                "PROVIDER_",
                declaring: "KIND",
                "Providers (none: 1min.ai with the callers' own keys)",
                [
                    SettingRow(
                        "KIND",
                        .choice(ProviderSettings.Kind.allCases.map(\.rawValue)),
                        "",
                        "declares a provider"
                    ),
                    SettingRow("LABEL", .label, "", "name in answers; unset: the NAME, lower case, - for _"),
                    SettingRow("BASE_URL", .url, "", "where it is; unset: by kind"),
                    SettingRow("API_KEYS", .tokens, "", "the relay's own keys there; taken in turn", .secret),
                    SettingRow("API_KEY", .token, "", "the same, where there is one", .secret),
                    SettingRow("KEY_WEIGHTS", .weights, "", "how often each key is taken; unset: all alike"),
                    SettingRow(
                        "PASSTHROUGH",
                        .boolean,
                        "",
                        "callers' own keys are sent on; unset: for onemin without keys"
                    ),
                    SettingRow(
                        "MODELS",
                        .models,
                        "",
                        "names, or alias=upstream; unset: of onemin its catalogue, of echo echo"
                    ),
                    SettingRow("COST", .price, "0", "of 1000 tokens; 0: unknown"),
                    SettingRow("TIMEOUT", .timeout, "300", "to the first byte of an answer"),
                    SettingRow("CONNECT_TIMEOUT", .timeout, "10", "to connect"),
                    SettingRow("IDLE_TIMEOUT", .timeout, "120", "between two pieces of an answer"),
                    SettingRow("TOTAL_TIMEOUT", .timeout, "3600", "for the whole call"),
                    SettingRow("HTTP2", .boolean, "false", "speak HTTP/2 to it"),
                    SettingRow("ENABLED", .boolean, "true", "false: as if it were not declared"),
                ]
            ),
        ]
    )

    /// Unknown names that begin so are mistakes, also in the process environment.
    static let ownPrefixes = ["PROVIDER_", "PANEL_", "RATE_LIMIT_", "ONE_MIN_", "SUBSET_OF_", "PERMIT_MODELS_"]

    /// Other software uses such names too: unknown ones in the process environment are worth a warning.
    static let sharedPrefixes = [
        "KEY_", "CACHE_", "ADMIN_", "MEMCACHED_", "CONFIG_", "USAGE_LOG_", "FALLBACK_", "BREAKER_", "BALANCE_",
        "GENERATE_", "RELOAD_",
    ]
}

extension SettingType {
    /// What is waited for on the network.
    static let timeout = SettingType.duration(.milliseconds(1) ... .seconds(86_400))
}
