/// The variables of other programs that users often set by habit, such as `OPENAI_API_KEY`.
enum ForeignVariables {
    /// Returns advice about the setting that replaces another program's variable; nil if the variable is unknown.
    static func advice(for name: String) -> String? {
        if let own = others[name] { return "; in this relay the setting is \(own)" }
        for (suffix, field) in [("_API_KEY", "API_KEYS"), ("_API_KEYS", "API_KEYS"), ("_KEY", "API_KEYS")]
            + [("_BASE_URL", "BASE_URL"), ("_API_BASE", "BASE_URL"), ("_ENDPOINT", "BASE_URL")]
        where name.hasSuffix(suffix) {
            guard let kind = kinds[String(name.dropLast(suffix.count))] else { continue }
            let prefix = "PROVIDER_\(kind.name)_"
            let url = kind.name == "AZURE" ? "=\(azureURL)" : ""
            let needed =
                kind.needsURL && field != "BASE_URL" ? "\(prefix)BASE_URL\(url), \(prefix)MODELS" : "\(prefix)MODELS"
            let own = "\(prefix)\(field)\(field == "BASE_URL" ? url : "")"
            return "; in this relay the setting is \(own); also set \(prefix)KIND=\(kind.kind) and \(needed)"
        }
        return nil
    }

    /// Returns advice about the kind that serves a vendor such as `azure`, which is no kind; nil if the vendor is unknown.
    static func advice(onKind text: String, of instance: String) -> String? {
        guard let kind = kinds[text.uppercased()] ?? kinds.values.first(where: { $0.name == text.uppercased() }) else {
            return nil
        }
        let url = kind.name == "AZURE" ? azureURL : "the URL of its API"
        return "write \(kind.kind)" + (kind.needsURL ? ", and set PROVIDER_\(instance)_BASE_URL to \(url)" : "")
    }

    /// Other programs' words for a provider's settings.
    static let fields = [
        "API_BASE": "BASE_URL", "API_URL": "BASE_URL", "ENDPOINT": "BASE_URL", "HOST": "BASE_URL", "TOKEN": "API_KEYS",
        "SECRET": "API_KEYS",
    ]

    private static let azureURL = "https://<resource>.openai.azure.com/openai/v1"

    private typealias Kind = (name: String, kind: String, needsURL: Bool)

    /// The provider to suggest for another program's variable, by the first part of the variable's name, such as
    /// `OPENAI`.
    private static let kinds: [String: Kind] = [
        "OPENAI": ("OPENAI", "openai", false), "ANTHROPIC": ("ANTHROPIC", "anthropic", false),
        "CLAUDE": ("ANTHROPIC", "anthropic", false), "GEMINI": ("GEMINI", "gemini", false),
        "GOOGLE": ("GEMINI", "gemini", false), "COHERE": ("COHERE", "cohere", false), "CO": ("COHERE", "cohere", false),
        "AZURE_OPENAI": ("AZURE", "openai", true), "AZURE": ("AZURE", "openai", true), "GROQ": ("GROQ", "openai", true),
        "MISTRAL": ("MISTRAL", "openai", true), "DEEPSEEK": ("DEEPSEEK", "openai", true),
        "OPENROUTER": ("OPENROUTER", "openai", true), "TOGETHER": ("TOGETHER", "openai", true),
        "XAI": ("XAI", "openai", true), "OLLAMA": ("OLLAMA", "openai", true),
    ]

    private static let others = [
        "ONE_MIN_AI_API_KEY": "ONE_MIN_API_KEYS", "ANTHROPIC_AUTH_TOKEN": "PROVIDER_<NAME>_API_KEYS",
        "API_KEY": "KEY_<NAME>_TOKEN", "LITELLM_MASTER_KEY": "KEY_<NAME>_TOKEN", "HTTP_PROXY": "UPSTREAM_PROXY",
        "HTTPS_PROXY": "UPSTREAM_PROXY", "REQUESTS_CA_BUNDLE": "SSL_CERT_FILE", "DATABASE_URL": "USAGE_DATABASE_URL",
        "AZURE_OPENAI_API_VERSION": "PROVIDER_AZURE_BASE_URL, whose path has the version", "LISTEN": "HOST",
        "BIND": "HOST", "SERVER_PORT": "PORT",
    ]
}
