import Engine
import Routes
import Shared
import Upstream

/// The vendor objects of one event loop: one for each provider, in the order of the settings.
struct Vendors {
    private(set) var entries: [Registry.Entry] = []
    /// The vendor objects of passthrough providers that can ask their vendor whether a caller's key is valid.
    private(set) var checkers: [any KeyChecker] = []

    /// The built-in model catalogues, by the kind of provider.
    static let catalogues: Catalogues = [.onemin: .oneMin]

    init(
        _ settings: Settings,
        _ rings: [KeyRing?],
        capacities: [Capacity?],
        shared: SharedServices,
        own: LoopServices
    ) throws(Listener.Failure) {
        // With a proxy, all connections go through it, and the proxy decides what they may reach.
        let outside = settings.upstreamProxy == nil ? own.outside : own.client
        for ((provider, keys), capacity) in zip(zip(settings.providers, rings), capacities) {
            guard let vendor = Self.vendor(provider, settings, shared: shared, own, outside: outside) else {
                throw Listener.Failure(reason: "\(provider.baseURL) is not a URL")
            }
            if provider.isPassthrough, let checker = vendor as? any KeyChecker { checkers.append(checker) }
            entries.append(
                Registry.Entry(
                    provider: vendor,
                    keys: keys,
                    isPassthrough: provider.isPassthrough,
                    countsCredits: provider.kind.row.countsCredits,
                    capacity: capacity,
                    generates: provider.generates,
                    excluding: Candidate.Traits(excludedBy: provider)
                )
            )
        }
    }

    /// Creates the vendor object of a provider; nil if one of the provider's URLs is invalid.
    private static func vendor(
        _ provider: ProviderSettings,
        _ settings: Settings,
        shared: SharedServices,
        _ own: LoopServices,
        outside: CurlClient
    ) -> (any ChatVendor)? {
        let client = own.client
        let tools = LoopTools(own.loop, own.parser, ids: own.ids, worker: shared.worker)
        let site = VendorSite(provider, settings, shared.beginnings)
        switch provider.kind {
        case .onemin:
            return OneMin(
                site,
                client,
                outside: outside,
                shared: shared.onemin,
                quirks: shared.quirks,
                tools: tools
            )
        case .openai:
            return OpenAILike(
                site,
                client,
                quirks: shared.quirks,
                reasoningBlocks: shared.reasoningBlocks,
                tools: tools
            )
        case .anthropic:
            return Anthropic(site, client, quirks: shared.quirks, reasoning: shared.reasoningBlocks, tools: tools)
        case .cohere: return Cohere(site, client, quirks: shared.quirks, tools: tools)
        case .gemini: return Gemini(site, client, quirks: shared.quirks, signatures: shared.signatures, tools: tools)
        case .cloudflare:
            return Cloudflare(site, account: provider.cloud.accountID, client, quirks: shared.quirks, tools: tools)
        case .vertexGemini: return vertex(.google, provider, site: site, shared: shared, client: client, tools: tools)
        case .vertexClaude:
            return vertex(.anthropic, provider, site: site, shared: shared, client: client, tools: tools)
        case .echo: return Echo(name: provider.name, loop: own.loop)
        }
    }

    private static func vertex(
        _ publisher: Vertex.Publisher,
        _ provider: ProviderSettings,
        site: VendorSite,
        shared: SharedServices,
        client: CurlClient,
        tools: LoopTools
    ) -> Vertex? {
        guard let account = shared.accounts[provider.name] else { return nil }
        let location = VertexSite(site, provider.cloud, locations: account.locations, tokens: account.tokens)
        return Vertex(
            publisher,
            location,
            transport: client,
            quirks: shared.quirks,
            memory: publisher == .google ? shared.signatures : shared.reasoningBlocks,
            tools: tools
        )
    }

    /// The objects that the vendor objects of all loops share, such as remembered quirks.
    struct SharedServices {
        fileprivate let onemin: OneMin.SharedServices
        var unsupported: UnsupportedModels { onemin.unsupported }
        let quirks: QuirkMemory
        fileprivate let beginnings: RecentBeginnings
        let signatures: ToolCallMemory
        let reasoningBlocks: ToolCallMemory
        /// The queue for work that would block an event loop.
        let worker: WorkQueue
        /// The Vertex AI accounts, by the name of the provider.
        let accounts: [String: VertexAccount]
        private let tokens: [CloudSettings.Account: GoogleTokens]

        /// - Parameter old: the shared objects of the previous settings; nil at startup.
        init(_ settings: Settings, _ lasting: ProcessServices, after old: SharedServices?) {
            worker = lasting.worker
            onemin = old?.onemin ?? OneMin.SharedServices()
            let forgetful = settings.providers.filter { !$0.learnsQuirks }.map(\.name)
            quirks = QuirkMemory(lasting.log, except: Set(forgetful))
            beginnings = old?.beginnings ?? RecentBeginnings()
            signatures = old?.signatures ?? ToolCallMemory(.signature, lasting.budget, state: lasting.shared)
            reasoningBlocks =
                old?.reasoningBlocks ?? ToolCallMemory(.reasoningBlock, lasting.budget, state: lasting.shared)
            var accounts: [String: VertexAccount] = [:]
            // Providers with the same Google account share its tokens.
            var tokens: [CloudSettings.Account: GoogleTokens] = [:]
            for provider in settings.providers where provider.kind == .vertexGemini || provider.kind == .vertexClaude {
                let location = VertexLocationID(provider)
                let kept = old?.accounts[provider.name].flatMap { $0.location == location ? $0.locations : nil }
                let locations = kept ?? LocationCooldowns(count: provider.cloud.locations.count)
                guard let refreshToken = provider.apiKeys.first else {
                    accounts[provider.name] = VertexAccount(location: location, locations: locations, tokens: nil)
                    continue
                }
                let account = provider.cloud.account(refreshToken: refreshToken)
                if tokens[account] == nil { tokens[account] = old?.tokens[account] }
                if tokens[account] == nil, let exchange = GoogleExchange(account, EndpointOptions(provider, settings)) {
                    tokens[account] = GoogleTokens(exchange, of: provider.name, lasting.log)
                }
                accounts[provider.name] = tokens[account].map {
                    VertexAccount(location: location, locations: locations, tokens: $0)
                }
            }
            self.accounts = accounts
            self.tokens = tokens
        }
    }

    struct VertexAccount {
        fileprivate let location: VertexLocationID
        let locations: LocationCooldowns
        /// The access tokens of the account; nil if callers send their own tokens.
        let tokens: GoogleTokens?
    }

    /// The settings that identify the locations of a Vertex AI provider.
    fileprivate struct VertexLocationID: Equatable {
        private let kind: ProviderSettings.Kind
        private let baseURL: String
        private let project: String
        private let locations: [String]

        init(_ provider: ProviderSettings) {
            kind = provider.kind
            baseURL = provider.baseURL
            project = provider.cloud.projectID
            locations = provider.cloud.locations
        }
    }

    /// Creates the reader of a provider's model list; nil if there is no list or the URL is invalid.
    /// - Parameter options: the options of requests to 1min.ai; nil uses the provider's settings.
    static func list(
        _ provider: ProviderSettings,
        _ settings: Settings,
        transport: CurlClient,
        options: EndpointOptions? = nil
    ) -> (any ModelList)? {
        let site = VendorSite(provider, settings)
        let keys = provider.apiKeys
        switch provider.kind {
        case .onemin:
            return OneMinList(
                baseURL: provider.baseURL,
                options: options ?? site.options,
                transport: transport,
                parser: JSONParser()
            )
        case .openai: return OpenAILike.list(site, transport, keys: keys)
        case .anthropic: return Anthropic.list(site, transport, keys: keys)
        case .cohere: return Cohere.list(site, transport, keys: keys)
        case .gemini: return Gemini.list(site, transport, keys: keys)
        case .cloudflare: return Cloudflare.list(site, account: provider.cloud.accountID, transport, keys: keys)
        case .vertexGemini, .vertexClaude, .echo: return nil
        }
    }
}

extension VendorSite {
    fileprivate init(
        _ provider: ProviderSettings,
        _ settings: Settings,
        _ beginnings: RecentBeginnings = RecentBeginnings()
    ) {
        self.init(
            name: provider.name,
            baseURL: provider.baseURL,
            headers: provider.headers,
            options: EndpointOptions(provider, settings)
        )
        chatsBy = provider.chatsBy
        allowedFields = provider.allowedFields
        clientInfo = provider.clientInfo
        advisor = provider.advisor
        promptCache = provider.promptCache
        self.beginnings = beginnings
        assetURL = provider.assetURL
        keepsLinks = settings.keepsLinks
    }
}

extension EndpointOptions {
    init(_ provider: ProviderSettings, _ settings: Settings) {
        self.init()
        connectMilliseconds = provider.connectTimeout.milliseconds
        firstByteMilliseconds = provider.firstByteTimeout.milliseconds
        idleMilliseconds = provider.idleTimeout.milliseconds
        totalMilliseconds = provider.totalTimeout.milliseconds
        isHTTP2 = provider.http2
        proxy = settings.upstreamProxy ?? ""
        certificateFile = settings.certificateFile
    }
}
