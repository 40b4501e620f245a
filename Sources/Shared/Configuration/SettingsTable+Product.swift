import Engine
import Limits

extension SettingsTable {
    /// All settings of the relay.
    package static let product = SettingsTable(
        sections: [
            SettingSection(
                "Serving",
                [
                    SettingRow("HOST", .address, "0.0.0.0", "address to listen on"),
                    SettingRow("PORT", .number(1...65_535), "5001", "port to listen on"),
                    SettingRow("THREADS", .number(0...256), "0", "number of event loops; 0: one a core"),
                    SettingRow("PUBLIC_URL", .url, "", "address that clients use, if a proxy is in front"),
                    SettingRow(
                        "PUBLIC_USAGE_PAGE",
                        .boolean,
                        "false",
                        "true: /usage is a page on which callers see their own limits and usage"
                    ),
                    SettingRow(
                        "NOT_FOUND_REDIRECT_URL",
                        .url,
                        "",
                        "where browsers are sent that ask for unknown paths; unset: 404"
                    ),
                    SettingRow("CORS_ORIGINS", .origins, "*", "origins of web pages that may call"),
                    SettingRow(
                        "MEMORY_MB",
                        .megabytes(MemorySettings.leastMegabytes...1_048_576),
                        "",
                        "memory for what others send; unset: half of the machine's or container's, at most 512"
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
                    SettingRow(
                        "RELOAD_ACCESS",
                        .choice(ReloadAccess.allCases.map(\.rawValue)),
                        "",
                        "who may GET or POST /reload_config; unset: admin with ADMIN_PASSWORD, else local, programs on this machine"
                    ),
                    SettingRow("METRICS_TOKEN", .token, "", "bearer for GET /metrics; unset: open to all", .secret),
                ]
            ),
            SettingSection(
                "Settings from elsewhere (in the environment or the .env file)",
                [
                    SettingRow(
                        "CONFIG_URL",
                        .document,
                        "",
                        "document with more settings, in the form of a .env file",
                        .secret
                    ),
                    SettingRow("CONFIG_KEY", .phrase, "", "key of that document; unset: it is not sealed", .secret),
                    SettingRow(
                        "CONFIG_REQUIRED",
                        .boolean,
                        "true",
                        "false: start without the document if it cannot be had"
                    ),
                    SettingRow(
                        "CONFIG_REFRESH_SECONDS",
                        .duration(.zero ... .seconds(86_400)),
                        "0",
                        "time after which the document is asked for again; 0: never"
                    ),
                ]
            ),
            SettingSection(
                "Compose file (only it reads these; the relay accepts and ignores them)",
                [
                    SettingRow("RELAYS", .number(1...1_000), "1", "number of relays"),
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
                    SettingRow("RATE_LIMIT", .limits, "60/minute", "limits of each caller in each group of endpoints"),
                    SettingRow(
                        "RATE_LIMIT_CHAT",
                        .limits,
                        "",
                        "limits of each caller's chat requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_IMAGES",
                        .limits,
                        "",
                        "limits of each caller's image requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_AUDIO",
                        .limits,
                        "",
                        "limits of each caller's audio requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_FILES",
                        .limits,
                        "",
                        "limits of each caller's file requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_MODELS",
                        .limits,
                        "",
                        "limits of each caller's model list requests, in place of RATE_LIMIT"
                    ),
                    SettingRow(
                        "RATE_LIMIT_BY_MODEL",
                        .modelLimits,
                        "",
                        "limits of each caller and model; the first pattern that fits"
                    ),
                    SettingRow("RATE_LIMIT_TOTAL", .limits, "", "limits of all callers of all instances together"),
                    SettingRow(
                        "RATE_LIMIT_BY",
                        .choice(LimitSettings.Identity.allCases.map(\.rawValue)),
                        "key",
                        "identity that limits count by"
                    ),
                    SettingRow("RATE_LIMIT_FAILED_AUTH", .limits, "20/minute", "limits of wrong keys for each address"),
                    SettingRow(
                        "RATE_LIMIT_STORE_DOWN",
                        .choice(StoreDownRule.allCases.map(\.rawValue)),
                        StoreDownRule.share.rawValue,
                        "rule for limits while memcached is away"
                    ),
                    SettingRow(
                        "RATE_LIMIT_INSTANCES",
                        .number(1...100_000),
                        "",
                        "number of instances that share a limit then; unset: as many as are alive"
                    ),
                    SettingRow(
                        "SLOT_SECONDS",
                        .duration(.seconds(5) ... .seconds(3_600)),
                        "30",
                        "time for which a slot of a dead instance is held"
                    ),
                    SettingRow("TRUSTED_PROXIES", .networks, "", "proxies whose X-Forwarded-For is believed"),
                    SettingRow(
                        "MEMCACHED_HOST",
                        .host,
                        "",
                        "memcached, where all instances count; auto: searched; unset: in memory"
                    ),
                    SettingRow("MEMCACHED_PORT", .linkedPort, "11211", "memcached's port"),
                    SettingRow("MEMCACHED_SERVERS", .servers, "", "several memcached servers, as host:port"),
                    SettingRow(
                        "STORE_SECRET",
                        .token,
                        "",
                        "secret of all instances that names counters in memcached; unset: plain digests of names and addresses",
                        .secret
                    ),
                    SettingRow(
                        "MEMCACHED_TIMEOUT",
                        .duration(.milliseconds(1) ... .seconds(10)),
                        "250ms",
                        "longest time a request waits for memcached"
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
                        "URLs of pictures that are fetched, without a proxy; http: both kinds"
                    ),
                    SettingRow(
                        "FETCH_ALLOW_NETWORKS",
                        .networks,
                        "",
                        "private networks from which pictures, and results of other hosts, may be read"
                    ),
                    SettingRow(
                        "FILE_ID_SECRET",
                        .token,
                        "",
                        "secret that seals the ids of files, and stored responses; unset: the caller's own key",
                        .secret
                    ),
                ]
            ),
            SettingSection(
                "Models",
                [
                    SettingRow("DEFAULT_MODEL", .model, "", "model for requests that name none"),
                    SettingRow("FALLBACK_MODEL", .model, "", "model for requests whose model no provider has"),
                    SettingRow(
                        "GENERATE_MODEL",
                        .model,
                        "",
                        "model for /generate; unset: each provider's in turn, cheapest first"
                    ),
                    SettingRow(
                        "ONE_MIN_LINKS",
                        .choice(["keep", "off"]),
                        "keep",
                        "off: links to YouTube in prompts are broken, so that 1min.ai neither reads nor charges them"
                    ),
                    SettingRow(
                        "MODEL_REPLACEMENTS",
                        .replacements,
                        "",
                        "models that serve in place of others once these have ended, as o3-mini:gpt-4o-mini"
                    ),
                    SettingRow(
                        "SUBSET_OF_ONE_MIN_PERMITTED_MODELS",
                        .names,
                        Settings.subsetOfOneMin.joined(separator: ","),
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
                    SettingRow("ONE_MIN_BASE_URL", .url, "https://api.1min.ai", "base URL of 1min.ai's API"),
                    SettingRow("ONE_MIN_ASSET_URL", .url, "https://asset.1min.ai", "base URL of 1min.ai's results"),
                    SettingRow(
                        "ONE_MIN_API_KEYS",
                        .tokens,
                        "",
                        "the relay's own keys of 1min.ai, if no provider is declared",
                        .secret
                    ),
                    SettingRow(
                        "ONE_MIN_MODELS_REFRESH",
                        .duration(.zero ... .seconds(2_592_000)),
                        "1h",
                        "interval at which 1min.ai's list of models is read; 0 = never"
                    ),
                    SettingRow("UPSTREAM_PROXY", .proxy, "", "proxy for outgoing connections; HTTP_PROXY is not read"),
                    SettingRow(
                        "SSL_CERT_FILE",
                        .file,
                        "",
                        "PEM file of certificate authorities to trust besides the system's"
                    ),
                    SettingRow("PROVIDERS", .list, "", "order of the providers; the rest follow by name"),
                ]
            ),
            .balance,
            .cache,
            SettingSection(
                "Log",
                [
                    SettingRow(
                        "LOG_LEVEL",
                        .choice(LogLevel.allCases.map(\.rawValue)),
                        "info",
                        "lowest level that is written"
                    ),
                    SettingRow("LOG_FORMAT", .choice(LogFormat.allCases.map(\.rawValue)), "text", "format of a line"),
                ]
            ),
            .usage,
            SettingSection(
                "Traces (not in this version yet: nothing is sent)",
                [
                    SettingRow(
                        "OTEL_EXPORTER_OTLP_ENDPOINT",
                        .url,
                        "",
                        "collector that traces are sent to, by OpenTelemetry's protocol over HTTP; unset: none"
                    )
                ]
            ),
            .admin,
            SettingSection(
                "Configuration",
                [
                    SettingRow("ENV_FILE", .file, ".env", "file of settings; read from the process environment only"),
                    SettingRow("STRICT_CONFIG", .boolean, "true", "false: unknown names are warnings"),
                ]
            ),
        ],
        families: [
            .keys,
            .providers,
            .panels,
        ],
        ownPrefixes: ["PROVIDER_", "PANEL_", "RATE_LIMIT_", "ONE_MIN_", "SUBSET_OF_", "PERMIT_MODELS_"],
        sharedPrefixes: [
            "KEY_", "CACHE_", "ADMIN_", "MEMCACHED_", "CONFIG_", "USAGE_LOG_", "USAGE_DATA_", "FALLBACK_", "BREAKER_",
            "BALANCE_",
            "GENERATE_", "RELOAD_",
        ],
        exampleHeading: """
            # Settings of the relay. Copy to .env, take the # from the lines that you change.
            # The process environment goes before this file. Times: 500ms, 30s, 5m, 2h; a bare number is seconds.
            # Made from the table of settings: UPDATE_EXAMPLE=1 swift test --filter ExampleTests

            """
    )
}

extension SettingType {
    /// The type of a network timeout.
    static let timeout = SettingType.duration(.milliseconds(1) ... .seconds(86_400))
}
