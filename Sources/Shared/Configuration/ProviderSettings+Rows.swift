extension SettingFamily {
    static let providers = SettingFamily(
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
            SettingRow("BASE_URL", .url, "", "base URL of the provider; unset: that of the kind"),
            SettingRow("API_KEYS", .tokens, "", "the relay's own keys there, used in turn", .secret),
            SettingRow("API_KEY", .token, "", "the same, for a single key", .secret),
            SettingRow("KEY_WEIGHTS", .weights, "", "weights of the keys; unset: equal"),
            SettingRow(
                "PASSTHROUGH",
                .boolean,
                "",
                "true: callers' own keys are sent on; unset: true for onemin without keys"
            ),
            SettingRow(
                "CHAT_VIA",
                .choice(ProviderSettings.ChatPath.allCases.map(\.rawValue)),
                "",
                "endpoint of chats, for openai: chat, responses, or auto; unset: auto at OpenAI and Azure"
            ),
            SettingRow(
                "HEADERS",
                .headers,
                "",
                "header lines of calls to it, not for onemin and echo: Name: value; Name: value",
                .secret
            ),
            SettingRow(
                "ALLOW_FIELDS",
                .options(RoutingFields.names),
                "",
                "fields that choose a model or server there and pass all the same; price and limits follow the alias"
            ),
            SettingRow("ACCOUNT_ID", .label, "", "id of the account, for cloudflare"),
            SettingRow("PROJECT_ID", .label, "", "id of the project, for vertexai_gemini and vertexai_claude"),
            SettingRow("CLIENT_ID", .token, "", "id of the OAuth client, for the same"),
            SettingRow("CLIENT_SECRET", .token, "", "secret of the OAuth client, for the same", .secret),
            SettingRow("REFRESH_TOKEN", .token, "", "refresh token of the account, for the same", .secret),
            SettingRow(
                "LOCATIONS",
                .list,
                "global",
                "places of the models in the order in which they are tried, for the same; no other place gets data"
            ),
            SettingRow(
                "TOKEN_URL",
                .url,
                "https://oauth2.googleapis.com/token",
                "address where the refresh token is exchanged, for the same"
            ),
            SettingRow(
                "MODELS",
                .models,
                "",
                "models: names, alias=upstream, or * for the vendor's list; unset: the catalogue of 1min.ai, or echo; others need them"
            ),
            SettingRow("WEIGHT", .weight, "1", "share of requests among providers of its priority; 0: none"),
            SettingRow("WEIGHTS", .modelWeights, "", "the same for single models, as alias=2,other=0"),
            SettingRow("PRIORITY", .number(0...1_000), "1", "providers with a lower number are tried earlier"),
            SettingRow("TOOLS", .boolean, "true", "false: chats with tools are not put to it"),
            SettingRow("VISION", .boolean, "true", "false: chats with pictures are not put to it"),
            SettingRow(
                "QPS",
                .rate,
                "",
                "most calls that begin within a second, for each key; unset: any number"
            ),
            SettingRow(
                "CONCURRENCY",
                .number(1...1_000_000),
                "",
                "most calls at the same time, for each key; unset: any number"
            ),
            SettingRow(
                "GENERATE",
                .boolean,
                "true",
                "false: /generate does not use it unless a model is named"
            ),
            SettingRow(
                "GENERATE_MODEL",
                .model,
                "",
                "its model for /generate and /llm; unset: the first of MODELS"
            ),
            SettingRow("RETRIES", .number(0...10), "0", "more tries before another provider is asked"),
            SettingRow("COST", .price, "0", "price of 1000 tokens; 0: unknown"),
            SettingRow("COSTS", .modelPrices, "", "the same of single models, before COST"),
            SettingRow(
                "MODEL_INFO",
                .modelInfo,
                "",
                "facts that lists of models show of single models, as context:128000,tools:false"
            ),
            SettingRow("TIMEOUT", .timeout, "300", "time limit to the first byte of an answer"),
            SettingRow("CONNECT_TIMEOUT", .timeout, "10", "time limit to connect"),
            SettingRow("IDLE_TIMEOUT", .timeout, "120", "time limit between two pieces of an answer"),
            SettingRow("TOTAL_TIMEOUT", .timeout, "3600", "time limit for the whole call"),
            SettingRow("HTTP2", .boolean, "false", "speak HTTP/2 to it"),
            SettingRow("ENABLED", .boolean, "true", "false: the provider is ignored"),
        ]
    )
}
