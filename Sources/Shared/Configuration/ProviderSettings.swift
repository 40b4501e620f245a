/// The settings of one provider, which is an account at a vendor.
package struct ProviderSettings: Sendable, Equatable {
    /// The endpoint that chat calls to an OpenAI-compatible provider use.
    package enum ChatPath: String, CaseIterable, Sendable {
        case chat
        case responses
        /// The Responses API for models that need it for tools, chat completions for other models.
        case auto
    }

    /// The information about the client that goes on to Anthropic's API with a Messages request.
    package enum ClientInfo: String, CaseIterable, Sendable {
        /// A digest of the user's id, and the attribution line only for Anthropic's own servers.
        case own
        /// The user's id and the attribution line as the client sent them.
        case all
        case none
    }

    /// The treatment of an advisor's tool in a Messages request if the caller may not use the advisor's model.
    package enum Advisor: String, CaseIterable, Sendable {
        /// The tool and its beta are left out.
        case drop
        /// The request is refused.
        case refuse
        /// The tool goes on.
        case allow
    }

    /// The cache breakpoints that the relay sets in requests of chats to Claude.
    package enum PromptCache: String, CaseIterable, Sendable {
        /// Breakpoints for five minutes, only for Anthropic's own servers and Vertex AI.
        case auto
        case off
        case short = "5m"
        /// Breakpoints for an hour at tools and instructions, for five minutes at turns.
        case long = "1h"
    }

    package enum Kind: String, CaseIterable, Sendable {
        case onemin
        /// A server with an OpenAI-compatible API.
        case openai
        /// A server with Anthropic's Messages API.
        case anthropic
        case gemini
        case cohere
        case cloudflare
        case vertexGemini = "vertexai_gemini"
        case vertexClaude = "vertexai_claude"
        case echo
    }

    /// The provider's name: the NAME in its settings in lower case, with `-` for `_`.
    package let name: String
    package let label: String
    package let kind: Kind
    /// The base URL without a slash at its end; empty if the provider has no fixed URL.
    package let baseURL: String
    /// The URL of 1min.ai's host for result files; empty for other kinds of providers.
    package let assetURL: String
    /// The models that the provider's settings name; empty if the settings name no models.
    package let models: [ModelName]
    /// Whether the provider also serves all models on the vendor's model list (`MODELS` contains `*`).
    package let servesList: Bool
    /// Whether upstream calls use the caller's own key.
    package let isPassthrough: Bool
    /// Whether the callers' keys for the provider may be signed tokens, also where the settings have an issuer.
    package let passesTokens: Bool
    /// The provider's own keys, which are secret. Empty if upstream calls do not use them.
    package let apiKeys: [String]
    /// The name of the setting with the keys, or where they would be.
    package let keySetting: String
    /// The weights of the provider's keys, in the order of the keys.
    package let keyWeights: [Double]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool
    package let prices: ProviderPrices
    /// Whether the relay reads the vendor's list of models.
    package var readsList: Bool { servesList || prices.usesList }

    /// Returns the names of the models whose prices the vendor's list of models should have, but lacks.
    /// - Parameter listed: the prices in the list, by the vendor's ids of the models.
    package func namesWithoutPrice(in listed: [String: ListedPrice]) -> Set<String> {
        let others = servesList ? listed.keys.map { ModelName(alias: $0, upstream: $0) } : []
        let unpriced = (models + others).filter { name in
            prices.setting(of: name.alias)?.isListed ?? false
                && prices.price(of: name.alias, listed: listed[name.upstream]) == nil
        }
        return Set(unpriced.map(\.alias))
    }

    /// The facts that the settings state about models, by the model names that callers use.
    package let modelInfo: [String: ModelFacts]
    package let rank: ProviderRank
    package let capacity: CapacitySettings
    /// Whether the relay sends requests with tools to the provider.
    package let supportsTools: Bool
    /// Whether the relay sends requests with images to the provider.
    package let acceptsImages: Bool
    /// The endpoint that chat calls use; nil if the relay chooses it by the base URL.
    package let chatsBy: ChatPath?
    /// Whether the relay remembers what the provider refuses.
    package let learnsQuirks: Bool
    /// Whether the provider serves `/generate` and `/llm` requests that name no model.
    package let generates: Bool
    /// The model for requests that name no model, by the name that callers use; nil for the provider's first model.
    package let generateModel: String?
    /// Additional header lines for upstream calls, which are secret. They replace the relay's headers of the same name.
    package let headers: [String]
    /// The request fields that are forwarded to this provider although they could select another model, server or
    /// account.
    package let allowedFields: [String]
    package let clientInfo: ClientInfo
    package let advisor: Advisor
    package let promptCache: PromptCache
    package let cloud: CloudSettings
}

extension ProviderSettings.Kind {
    /// The properties that all providers of a kind have in common.
    package struct Row {
        /// The owner that model lists show; nil to show the provider's label.
        package var owner: String?
        /// The default base URL; nil if the kind does not use the network.
        let baseURL: StandardURL?
        /// The setting that contains the URL of the host for result files; nil if this kind has no such setting.
        var assetURL: SettingKey?
        /// Whether upstream calls cost credits, the unit of payment at 1min.ai.
        package var countsCredits = false
        /// The setting that names the models which model lists show first; nil if this kind has no such setting.
        var subset: SettingKey?
        package var subsetName: String? { subset?.name }
        /// The name of the setting that has the default base URL; nil if this kind has no such setting.
        package var urlSetting: String? { if case .setting(let key)? = baseURL { key.name } else { nil } }
        /// Whether a provider's `MODELS` setting is required, since the relay has no built-in catalogue for the kind.
        var needsModels = true
        /// Whether `*` in `MODELS` can stand for all models on the vendor's list.
        var hasList = false
        /// Whether a provider works without keys. If false, a provider without keys uses the callers' keys.
        var areKeysOptional = false
        /// Whether the provider's settings can add header lines to upstream calls.
        var allowsHeaders = true
        /// The name of the vendor in telemetry: the value of `gen_ai.provider.name` in OpenTelemetry's conventions; nil
        /// for the kind's own name.
        fileprivate var conventionalName: String?
    }

    enum StandardURL {
        case setting(SettingKey)
        case fixed(String)
        /// A fixed URL without the path of the API version, such as `/v1`.
        case host(String)
        /// A URL that depends on the location of each call, for Vertex AI.
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
                allowsHeaders: false,
                conventionalName: "1min.ai"
            )
        case .openai: Row(baseURL: .fixed("https://api.openai.com/v1"), hasList: true, areKeysOptional: true)
        case .anthropic: Row(baseURL: .host("https://api.anthropic.com"), hasList: true, areKeysOptional: true)
        case .gemini:
            Row(
                baseURL: .host("https://generativelanguage.googleapis.com"),
                hasList: true,
                conventionalName: "gcp.gemini"
            )
        case .cohere: Row(baseURL: .host("https://api.cohere.com"), hasList: true)
        case .cloudflare: Row(baseURL: .host("https://api.cloudflare.com"), hasList: true)
        // Vertex AI uses a refresh token in place of keys.
        case .vertexGemini, .vertexClaude:
            Row(baseURL: .location, areKeysOptional: true, conventionalName: "gcp.vertex_ai")
        case .echo: Row(baseURL: nil, needsModels: false, areKeysOptional: true, allowsHeaders: false)
        }
    }

    package var conventionalName: String { row.conventionalName ?? rawValue }

    var isVertex: Bool { self == .vertexGemini || self == .vertexClaude }

    package var usesNetwork: Bool { row.baseURL != nil }
}

/// The built-in model catalogues, by the kind of provider. Some kinds have none.
package typealias Catalogues = [ProviderSettings.Kind: Catalogue]
