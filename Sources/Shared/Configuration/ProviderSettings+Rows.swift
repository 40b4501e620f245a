extension SettingFamily {
    static let providers = SettingFamily(
        "PROVIDER_",
        declaring: "KIND",
        "Providers (default: 1min.ai with the callers' own keys)",
        rows: [
            SettingRow(
                "KIND",
                .choice(ProviderSettings.Kind.allCases.map(\.rawValue)),
                "",
                "declares a provider of this kind"
            ),
            SettingRow(
                "LABEL",
                .label,
                "",
                "name of the provider in responses; default: the NAME, in lower case, with - for _"
            ),
            SettingRow("BASE_URL", .url, "", "base URL of the provider's API; default: that of the kind"),
            SettingRow("API_KEYS", .tokens, "", "the relay's own keys for the provider, used in turn", .secret),
            SettingRow("API_KEY", .token, "", "the relay's own key for the provider, in place of API_KEYS", .secret),
            SettingRow("KEY_WEIGHTS", .weights, "", "weights of API_KEYS, in their order; default: equal"),
            SettingRow(
                "PASSTHROUGH",
                .boolean,
                "",
                "true: forward each caller's key to this provider; default: true for onemin without keys"
            ),
            SettingRow(
                "CHAT_VIA",
                .choice(ProviderSettings.ChatPath.allCases.map(\.rawValue)),
                "",
                "endpoint for chats (openai only); default: auto for OpenAI and Azure, else chat"
            ),
            SettingRow(
                "HEADERS",
                .headers,
                "",
                "header fields of requests to the provider (not for onemin and echo), as Name: value; Name: value",
                .secret
            ),
            SettingRow(
                "QUIRKS",
                .choice(["learn", "none"]),
                "learn",
                "learn: remember for an hour what the provider refuses (not for onemin and echo); none: learn nothing"
            ),
            SettingRow(
                "ALLOW_FIELDS",
                .options(RoutingFields.names),
                "",
                "fields that may choose another model or server and are forwarded anyway; price and limits follow the alias"
            ),
            SettingRow(
                "CLIENT_INFO",
                .choice(ProviderSettings.ClientInfo.allCases.map(\.rawValue)),
                "own",
                "user id and attribution of /v1/messages that go to anthropic, vertexai_claude: own digests the id; all; none"
            ),
            SettingRow("ACCOUNT_ID", .label, "", "account id (cloudflare)"),
            SettingRow("PROJECT_ID", .label, "", "project id (vertexai_gemini, vertexai_claude)"),
            SettingRow("CLIENT_ID", .token, "", "OAuth client id (vertexai_gemini, vertexai_claude)"),
            SettingRow("CLIENT_SECRET", .token, "", "OAuth client secret (vertexai_gemini, vertexai_claude)", .secret),
            SettingRow(
                "REFRESH_TOKEN",
                .token,
                "",
                "refresh token of the account (vertexai_gemini, vertexai_claude)",
                .secret
            ),
            SettingRow(
                "LOCATIONS",
                .list,
                "global",
                "locations, in the order in which they are tried; no other location gets data (vertexai_gemini, vertexai_claude)"
            ),
            SettingRow(
                "TOKEN_URL",
                .url,
                "https://oauth2.googleapis.com/token",
                "URL that exchanges the refresh token (vertexai_gemini, vertexai_claude)"
            ),
            SettingRow(
                "MODELS",
                .models,
                "",
                "models: names, alias=upstream, or * for the vendor's list; default: the catalogue of onemin or echo; required for other kinds"
            ),
            SettingRow("WEIGHT", .weight, "1", "weight among providers with the same priority; 0: gets no requests"),
            SettingRow("WEIGHTS", .modelWeights, "", "weights of single models, as alias=2,other=0"),
            SettingRow("PRIORITY", .number(0...1_000), "1", "priority; providers with a lower number are tried first"),
            SettingRow("TOOLS", .boolean, "true", "false: this provider gets no chats with tools"),
            SettingRow("VISION", .boolean, "true", "false: this provider gets no chats with images"),
            SettingRow(
                "QPS",
                .rate,
                "",
                "maximum number of calls per second that begin with each key; default: no limit"
            ),
            SettingRow(
                "CONCURRENCY",
                .number(1...1_000_000),
                "",
                "maximum number of concurrent calls with each key; default: no limit"
            ),
            SettingRow(
                "GENERATE",
                .boolean,
                "true",
                "false: /generate uses this provider only if the request names a model"
            ),
            SettingRow(
                "GENERATE_MODEL",
                .model,
                "",
                "this provider's model for /generate and /llm; default: the first of MODELS"
            ),
            SettingRow("RETRIES", .number(0...10), "0", "number of retries before the next provider is tried"),
            SettingRow(
                "COST",
                .price,
                "",
                "price per 1000 tokens, such as 0.001/0.004; 0 or free: no cost; unset: unknown"
            ),
            SettingRow("COSTS", .modelPrices, "", "prices per 1000 tokens of single models, which override COST"),
            SettingRow("CREDIT_COST", .dollars, "", "price of one credit, for the kind onemin"),
            SettingRow(
                "FEES",
                .toolFees,
                "",
                "prices of one use of tools that the vendor runs, such as web_search=0.01"
            ),
            SettingRow(
                "MODEL_INFO",
                .modelInfo,
                "",
                "facts about single models for model lists, as context:128000,tools:false; context also limits prompts"
            ),
            SettingRow("TIMEOUT", .timeout, "300", "time limit for the first byte of a response"),
            SettingRow("CONNECT_TIMEOUT", .timeout, "10", "time limit for connecting"),
            SettingRow("IDLE_TIMEOUT", .timeout, "120", "time limit between two chunks of a response"),
            SettingRow("TOTAL_TIMEOUT", .timeout, "3600", "time limit for the whole call"),
            SettingRow("HTTP2", .boolean, "false", "true: use HTTP/2 for this provider"),
            SettingRow("ENABLED", .boolean, "true", "false: this provider is ignored"),
        ]
    )
}
