extension SettingFamily {
    static let providers = SettingFamily(
        prefix: "PROVIDER_",
        declaring: ["KIND"],
        title: "Providers (default: 1min.ai with the callers' own keys)",
        rows: [
            SettingRow("KIND", .choice(of: ProviderSettings.Kind.self)).help("declares a provider of this kind"),
            SettingRow("LABEL", .label)
                .help(
                    """
                    name of the provider in reports of /llm, in owned_by of models and on the admin page; default: the \
                    NAME, in lower case, with - for _
                    """
                ),
            SettingRow("BASE_URL", .url).help("base URL of the provider's API; default: that of the kind"),
            SettingRow("API_KEYS", .tokens, trait: .secret).help("the relay's own keys for the provider, used in turn"),
            SettingRow("API_KEY", .token, trait: .secret)
                .help("the relay's own key for the provider, in place of API_KEYS"),
            SettingRow("KEY_WEIGHTS", .weights).help("weights of API_KEYS, in their order; default: equal"),
            SettingRow("PASSTHROUGH", .booleanOr("jwt"))
                .help(
                    "true: forward each caller's key to this provider; jwt: also if it is a signed token of no issuer in the settings; default: true for onemin without keys"
                ),
            SettingRow("CHAT_VIA", .choice(of: ProviderSettings.ChatPath.self))
                .of(.openai)
                .help(
                    "endpoint for chats (openai only); default: auto for OpenAI, Azure and GitHub Copilot, else chat"
                ),
            SettingRow("HEADERS", .headers, trait: .secret)
                .help(
                    "header fields of requests to the provider (not for onemin and echo), as Name: value; Name: value"
                ),
            SettingRow("QUIRKS", .choice(["learn", "none"]), "learn")
                .help(
                    "learn: remember for an hour what the provider refuses (not for onemin and echo); none: learn nothing"
                ),
            SettingRow("ALLOW_FIELDS", .words)
                .help(
                    "top-level fields that go on whatever models, servers or resources they name, such as models,route"
                )
                .of(.openai, .anthropic, .vertexClaude),
            SettingRow("CLIENT_INFO", .choice(of: ProviderSettings.ClientInfo.self), "own")
                .of(.anthropic, .vertexClaude)
                .help(
                    "user id and attribution of /v1/messages that go to anthropic, vertexai_claude: own digests the id; all; none"
                ),
            SettingRow("ADVISOR", .choice(of: ProviderSettings.Advisor.self), "drop")
                .help("advisor tools of /v1/messages whose model the caller may not use: drop, refuse, or allow")
                .of(.anthropic, .vertexClaude),
            SettingRow("PROMPT_CACHE", .choice(of: ProviderSettings.PromptCache.self), "auto")
                .of(.anthropic, .vertexClaude)
                .help(
                    "cache marks in chats without any (anthropic, vertexai_claude): auto: at Anthropic's and Google's hosts; off; 5m or 1h: at any host"
                ),
            SettingRow("ACCOUNT_ID", .label).help("account id").of(.cloudflare),
            SettingRow("PROJECT_ID", .label).help("project id").of(.vertexGemini, .vertexClaude),
            SettingRow("CLIENT_ID", .token).help("OAuth client id").of(.vertexGemini, .vertexClaude),
            SettingRow("CLIENT_SECRET", .token, trait: .secret)
                .help("OAuth client secret")
                .of(.vertexGemini, .vertexClaude),
            SettingRow("REFRESH_TOKEN", .token, trait: .secret)
                .help("refresh token of the account")
                .of(.vertexGemini, .vertexClaude),
            SettingRow("LOCATIONS", .list, "global")
                .help("locations, in the order in which they are tried; no other location gets data")
                .of(.vertexGemini, .vertexClaude),
            SettingRow("TOKEN_URL", .url, "https://oauth2.googleapis.com/token")
                .help("URL that exchanges the refresh token")
                .of(.vertexGemini, .vertexClaude),
            SettingRow("MODELS", .models)
                .help(
                    "models: names, alias=upstream, or * for the vendor's list; default: the catalogue of onemin or echo; required for other kinds"
                ),
            SettingRow("WEIGHT", .weight, "1")
                .help("weight among providers with the same priority; 0: gets no requests"),
            SettingRow("WEIGHTS", .modelWeights).help("weights of single models, as alias=2,other=0"),
            SettingRow("PRIORITY", .number(0...1_000), "1")
                .help("priority; providers with a lower number are tried first"),
            SettingRow("TOOLS", .boolean, "true").help("false: this provider gets no chats with tools"),
            SettingRow("VISION", .boolean, "true").help("false: this provider gets no chats with images"),
            SettingRow("QPS", .rate)
                .help("maximum number of calls per second that begin with each key; default: no limit"),
            SettingRow("CONCURRENCY", .number(1...1_000_000))
                .help("maximum number of concurrent calls with each key; default: no limit"),
            SettingRow("GENERATE", .boolean, "true")
                .help("false: /generate uses this provider only if the request names a model"),
            SettingRow("GENERATE_MODEL", .model)
                .help("this provider's model for /generate and /llm; default: the first of MODELS"),
            SettingRow("RETRIES", .number(0...10), "0").help("number of retries before the next provider is tried"),
            SettingRow("COST", .price)
                .help("price per 1000 tokens, such as 0.001/0.004; 0 or free: no cost; unset: unknown"),
            SettingRow("COSTS", .modelPrices).help("prices per 1000 tokens of single models, which override COST"),
            SettingRow("CREDIT_COST", .dollars).of(.onemin)
                .help("price of one credit, for the kind onemin"),
            SettingRow("FEES", .toolFees)
                .help("prices of one use of tools that the vendor runs, such as web_search=0.01"),
            SettingRow("MODEL_INFO", .modelInfo)
                .help(
                    "facts about single models for model lists, as context:128000,tools:false; context also limits prompts"
                ),
            SettingRow("TIMEOUT", .timeout, "300").help("time limit for the first byte of a response"),
            SettingRow("CONNECT_TIMEOUT", .timeout, "10").help("time limit for connecting"),
            SettingRow("IDLE_TIMEOUT", .timeout, "120").help("time limit between two chunks of a response"),
            SettingRow("TOTAL_TIMEOUT", .timeout, "3600").help("time limit for the whole call"),
            SettingRow("HTTP2", .boolean, "false").help("true: use HTTP/2 for this provider"),
            SettingRow("ENABLED", .boolean, "true").help("false: this provider is ignored"),
        ]
    )
}

extension SettingRow {
    /// Returns the row for a setting that only providers of these kinds have, whose help text then names them. A help
    /// text that follows replaces it.
    fileprivate func of(_ kinds: ProviderSettings.Kind...) -> SettingRow {
        let words = kinds.map(\.rawValue)
        return only(beside: words).help("\(help) (\(words.joined(separator: ", ")))")
    }
}
