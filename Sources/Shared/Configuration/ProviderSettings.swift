/// One upstream account group.
package struct ProviderSettings: Sendable, Equatable {
    /// The endpoint of chat calls to a provider of the kind openai.
    package enum ChatPath: String, CaseIterable, Sendable {
        case chat
        case responses
        /// Chat completions, but for models that refuse tools there.
        case auto
    }

    package enum Kind: String, CaseIterable, Sendable {
        case onemin
        /// Any server that speaks OpenAI's wire.
        case openai
        /// Any server that speaks Anthropic's messages.
        case anthropic
        case gemini
        case cohere
        case cloudflare
        case vertexGemini = "vertexai_gemini"
        case vertexClaude = "vertexai_claude"
        case echo
    }

    /// Unique: the NAME in lower case, with `-` for `_`.
    package let name: String
    package let label: String
    package let kind: Kind
    /// Without a slash at the end; empty for `echo`, and where the location tells it.
    package let baseURL: String
    /// The host of its results; empty for kinds that have none.
    package let assetURL: String
    /// Empty: the whole catalogue of its kind.
    package let models: [ModelName]
    /// The models that its vendor lists are served, too.
    package let servesList: Bool
    /// Calls are made with the caller's own key; otherwise the provider counts as holding credentials.
    package let isPassthrough: Bool
    /// Its own; secrets. None where it is `isPassthrough`, or needs none.
    package let apiKeys: [String]
    /// One for each key.
    package let keyWeights: [Double]
    package let connectTimeout: Duration
    package let firstByteTimeout: Duration
    package let idleTimeout: Duration
    package let totalTimeout: Duration
    package let http2: Bool
    package let prices: ProviderPrices
    /// Facts that lists of models show, by the names that callers use.
    package let modelInfo: [String: ModelFacts]
    package let rank: ProviderRank
    package let capacity: CapacitySettings
    /// Requests with tools go to it.
    package let takesTools: Bool
    /// Requests with pictures go to it.
    package let takesPictures: Bool
    /// Nil: as its address asks for.
    package let chatsBy: ChatPath?
    /// It serves calls that name no model.
    package let generates: Bool
    /// By this name of its models; nil: by the first.
    package let generateModel: String?
    /// Header lines of its calls, which go before those that its kind has; secrets.
    package let headers: [String]
    /// Fields of `RoutingFields` that pass, though they may choose another model.
    package let allowedFields: [String]
    package let cloud: CloudSettings
}

extension ProviderSettings.Kind {
    /// The differences between kinds, a row each.
    package struct Row {
        /// The owner of its models, as callers see it; nil: the provider's label.
        package let owner: String?
        /// For providers that have no URL of their own; nil: the kind uses no network.
        let baseURL: StandardURL?
        /// The setting with the host of its results.
        let assetURL: SettingKey?
        /// Calls cost credits of the vendor.
        package let takesCredits: Bool
        /// The setting with the models that are listed first.
        let subset: SettingKey?
        /// The models have to be named, or are those that the vendor lists.
        let needsModels: Bool
        /// Some servers want no key, so the callers' own are not passed on for want of one.
        let areKeysOptional: Bool
        /// Calls take header lines that settings give.
        let takesHeaders: Bool
    }

    enum StandardURL {
        case setting(SettingKey)
        case fixed(String)
        /// The same, without the path of a version, which calls add.
        case host(String)
        /// It depends on the location of each call.
        case location
    }

    package var row: Row {
        switch self {
        case .onemin:
            Row(
                owner: "1minai",
                baseURL: .setting("ONE_MIN_BASE_URL"),
                assetURL: "ONE_MIN_ASSET_URL",
                takesCredits: true,
                subset: "SUBSET_OF_ONE_MIN_PERMITTED_MODELS",
                needsModels: false,
                areKeysOptional: false,
                takesHeaders: false
            )
        case .openai: Row(at: .fixed("https://api.openai.com/v1"), areKeysOptional: true)
        case .anthropic: Row(at: .host("https://api.anthropic.com"), areKeysOptional: true)
        case .gemini: Row(at: .host("https://generativelanguage.googleapis.com"))
        case .cohere: Row(at: .host("https://api.cohere.com"))
        case .cloudflare: Row(at: .host("https://api.cloudflare.com"))
        // They have a refresh token in place of keys.
        case .vertexGemini, .vertexClaude: Row(at: .location, areKeysOptional: true)
        case .echo:
            Row(
                owner: nil,
                baseURL: nil,
                assetURL: nil,
                takesCredits: false,
                subset: nil,
                needsModels: false,
                areKeysOptional: true,
                takesHeaders: false
            )
        }
    }

    /// Its vendors list their models to whoever has a key.
    var hasList: Bool {
        switch self {
        case .openai, .anthropic, .gemini, .cohere, .cloudflare: true
        default: false
        }
    }

    /// `gen_ai.provider.name` of OpenTelemetry's conventions, which state the value for most vendors.
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
    /// Of a vendor whose models have to be named.
    fileprivate init(at baseURL: ProviderSettings.Kind.StandardURL, areKeysOptional: Bool = false) {
        self.init(
            owner: nil,
            baseURL: baseURL,
            assetURL: nil,
            takesCredits: false,
            subset: nil,
            needsModels: true,
            areKeysOptional: areKeysOptional,
            takesHeaders: true
        )
    }
}

/// The models of each kind whose vendor has a catalogue.
package typealias Catalogues = [ProviderSettings.Kind: Catalogue]
