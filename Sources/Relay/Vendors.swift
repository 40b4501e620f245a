import Calls
import Engine
import Routes
import Shared
import Upstream

/// The vendors of one loop, in the order of the settings: one case for each kind.
struct Vendors {
    private(set) var entries: [Registry.Entry] = []
    /// Those that callers' own keys are passed on to.
    private(set) var checkers: [any KeyChecker] = []

    /// The models that are known without asking, of each kind that has a catalogue.
    static let catalogues: Catalogues = [.onemin: .oneMin]

    init(
        _ settings: Settings,
        _ rings: [KeyRing?],
        _ capacities: [Capacity?],
        _ shared: SharedParts,
        _ own: LoopParts,
        _ budget: MemoryBudget
    ) throws(Listener.Failure) {
        let loop = own.loop
        let tools = LoopTools(loop, own.parser, own.ids, shared.worker)
        let client = CurlClient(loop: loop, budget: budget)
        // Through a proxy everything goes, and it decides where that may lead.
        let outside =
            settings.upstreamProxy == nil
            ? CurlClient(loop: loop, rule: AddressRule(adding: settings.fetch.networks), budget: budget) : client
        for ((provider, keys), capacity) in zip(zip(settings.providers, rings), capacities) {
            let chat: any ChatVendor
            switch provider.kind {
            case .onemin:
                let site = OneMinSite(
                    name: provider.name,
                    baseURL: provider.baseURL,
                    assetURL: provider.assetURL,
                    keepsLinks: settings.keepsLinks,
                    options: EndpointOptions(provider, settings)
                )
                guard let vendor = OneMin(site, client, outside: outside, shared.turns, loop, own.parser) else {
                    throw Listener.Failure(reason: "\(provider.baseURL) is not a URL")
                }
                if provider.isPassthrough { checkers.append(vendor) }
                chat = vendor
            case .openai:
                guard let vendor = OpenAILike(VendorSite(provider, settings), client, shared.mends, tools) else {
                    throw Listener.Failure(reason: "\(provider.baseURL) is not a URL")
                }
                if provider.isPassthrough { checkers.append(vendor) }
                chat = vendor
            case .anthropic:
                guard let vendor = Anthropic(VendorSite(provider, settings), client, shared.mends, tools) else {
                    throw Listener.Failure(reason: "\(provider.baseURL) is not a URL")
                }
                if provider.isPassthrough { checkers.append(vendor) }
                chat = vendor
            case .echo: chat = Echo(name: provider.name, loop: loop)
            }
            entries.append(
                Registry.Entry(
                    provider: chat,
                    keys: keys,
                    isPassthrough: provider.isPassthrough,
                    takesCredits: provider.kind.row.takesCredits,
                    capacity: capacity,
                    sparing: Candidate.Traits(sparing: provider)
                )
            )
        }
    }

    /// The parts that the vendors of all loops share.
    struct SharedParts {
        let turns = UploadTurns()
        let mends = MendMemory()
        /// For work that would hold up a loop.
        let worker: Worker
    }

    /// The reading of a vendor's list of models now and then, on one loop; nil: the settings want none, or no provider
    /// has a list.
    ///
    /// - Parameter changed: told the new catalogues, on the loop.
    static func refresh(
        _ settings: Settings,
        _ log: Log,
        on loop: EventLoop,
        _ budget: MemoryBudget,
        changed: @escaping @Sendable (Catalogues) -> Void
    ) throws(Listener.Failure) -> ModelRefresh? {
        guard settings.modelsRefresh > .zero,
            let provider = settings.providers.first(where: { $0.kind == .onemin })
        else { return nil }
        let list = OneMinList(
            baseURL: provider.baseURL,
            options: EndpointOptions(provider, settings),
            transport: CurlClient(loop: loop, budget: budget),
            parser: JSONParser()
        )
        guard let list else { throw Listener.Failure(reason: "\(provider.baseURL) is not a URL") }
        return ModelRefresh(list, every: settings.modelsRefresh, loop, log) { catalogue in
            changed(catalogues.merging([.onemin: catalogue]) { _, new in new })
        }
    }
}

extension VendorSite {
    fileprivate init(_ provider: ProviderSettings, _ settings: Settings) {
        self.init(
            name: provider.name,
            baseURL: provider.baseURL,
            headers: provider.headers,
            options: EndpointOptions(provider, settings),
            chatsBy: provider.chatsBy
        )
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
