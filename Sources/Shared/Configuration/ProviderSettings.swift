/// The settings of one provider: an account of a vendor.
package struct ProviderSettings: Sendable, Equatable {
    /// The endpoint for chat calls to a provider of the kind openai.
    package enum ChatPath: String, CaseIterable, Sendable {
        case chat
        case responses
        /// Chat completions, or the Responses API for models that do not support tools in chat completions.
        case auto
    }

    package enum Kind: String, CaseIterable, Sendable {
        case onemin
        /// Any OpenAI-compatible server.
        case openai
        /// Any server with Anthropic's Messages API.
        case anthropic
        case gemini
        case cohere
        case cloudflare
        case vertexGemini = "vertexai_gemini"
        case vertexClaude = "vertexai_claude"
        case echo
    }

    /// The unique name: the NAME of the settings in lower case, with `-` in place of `_`.
    package let name: String
    package let label: String
    package let kind: Kind
    /// The base URL without a final slash; empty for `echo`, and if the location determines the URL.
    package let baseURL: String
    /// The host of result files; empty for kinds without such a host.
    package let assetURL: String
    /// The models that the settings name; empty: the whole catalogue of the kind.
    package let models: [ModelName]
    /// Whether the models of the vendor's own list are served, too.
    package let servesList: Bool
    /// Whether upstream calls use the caller's own key. If false, the provider counts as having credentials.
    package let isPassthrough: Bool
    /// The provider's own keys, which are secret; empty if `isPassthrough` is true or no key is needed.
    package let apiKeys: [String]
    /// The weights of the keys, one for each.
    package let keyWeights: [Double]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool
    package let prices: ProviderPrices
    /// Facts for lists of models, by the names that callers use.
    package let modelInfo: [String: ModelFacts]
    package let rank: ProviderRank
    package let capacity: CapacitySettings
    /// Whether the provider gets requests with tools.
    package let supportsTools: Bool
    /// Whether the provider gets requests with images.
    package let acceptsImages: Bool
    /// The endpoint for chat calls; nil: chosen by the base URL.
    package let chatsBy: ChatPath?
    /// Whether the provider serves requests that name no model (`/generate`, `/llm`).
    package let generates: Bool
    /// The model, by the name that callers use, for requests without a model; nil: the provider's first model.
    package let generateModel: String?
    /// Additional header lines of upstream calls, which are secret. They replace the kind's own lines of the same name.
    package let headers: [String]
    /// The fields of `RoutingFields` that are forwarded although they may choose another model.
    package let allowedFields: [String]
    package let cloud: CloudSettings
}

extension ProviderSettings.Kind {
    /// The properties of a kind.
    package struct Row {
        /// The owner of the models as callers see it; nil: the provider's label.
        package let owner: String?
        /// The base URL of providers that set none; nil: the kind uses no network.
        let baseURL: StandardURL?
        /// The setting with the host of result files; nil: there is none.
        let assetURL: SettingKey?
        /// Whether calls cost credits of the vendor.
        package let countsCredits: Bool
        /// The setting with the models that are listed first; nil: there is none.
        let subset: SettingKey?
        /// Whether the settings must name the models or take them from the vendor's list.
        let needsModels: Bool
        /// Whether a provider works without keys. If true, a provider without keys does not use the callers' keys
        /// instead.
        let areKeysOptional: Bool
        /// Whether settings may add header lines to upstream calls.
        let allowsHeaders: Bool
    }

    enum StandardURL {
        case setting(SettingKey)
        case fixed(String)
        /// A fixed base URL to which calls add the path of the API version.
        case host(String)
        /// The URL depends on the location of each call.
        case location
    }

    package var row: Row {
        switch self {
        case .onemin:
            Row(
                owner: "1minai",
                baseURL: .setting("ONE_MIN_BASE_URL"),
                assetURL: "ONE_MIN_ASSET_URL",
                countsCredits: true,
                subset: "SUBSET_OF_ONE_MIN_PERMITTED_MODELS",
                needsModels: false,
                areKeysOptional: false,
                allowsHeaders: false
            )
        case .openai: Row(at: .fixed("https://api.openai.com/v1"), areKeysOptional: true)
        case .anthropic: Row(at: .host("https://api.anthropic.com"), areKeysOptional: true)
        case .gemini: Row(at: .host("https://generativelanguage.googleapis.com"))
        case .cohere: Row(at: .host("https://api.cohere.com"))
        case .cloudflare: Row(at: .host("https://api.cloudflare.com"))
        // Vertex AI uses a refresh token in place of keys.
        case .vertexGemini, .vertexClaude: Row(at: .location, areKeysOptional: true)
        case .echo:
            Row(
                owner: nil,
                baseURL: nil,
                assetURL: nil,
                countsCredits: false,
                subset: nil,
                needsModels: false,
                areKeysOptional: true,
                allowsHeaders: false
            )
        }
    }

    /// Whether vendors of this kind list their models to any valid key.
    var hasList: Bool {
        switch self {
        case .openai, .anthropic, .gemini, .cohere, .cloudflare: true
        default: false
        }
    }

    /// The value of `gen_ai.provider.name` in OpenTelemetry's conventions, which define it for most vendors.
    package var conventionalName: String {
        switch self {
        case .onemin: "1min.ai"
        case .gemini: "gcp.gemini"
        case .vertexGemini, .vertexClaude: "gcp.vertex_ai"
        case .openai, .anthropic, .cohere, .cloudflare, .echo: rawValue
        }
    }

    var isVertex: Bool { self == .vertexGemini || self == .vertexClaude }

    package var usesNetwork: Bool { row.baseURL != nil }
}

extension ProviderSettings.Kind.Row {
    /// Creates the row of a vendor whose models must be named.
    fileprivate init(at baseURL: ProviderSettings.Kind.StandardURL, areKeysOptional: Bool = false) {
        self.init(
            owner: nil,
            baseURL: baseURL,
            assetURL: nil,
            countsCredits: false,
            subset: nil,
            needsModels: true,
            areKeysOptional: areKeysOptional,
            allowsHeaders: true
        )
    }
}

/// The model catalogue of each kind that has one.
package typealias Catalogues = [ProviderSettings.Kind: Catalogue]
