import Engine
import Glibc
import Routes
import Shared
import Synchronization
import Upstream

/// The running relay: on each loop a server, a client and what is between them. The only place that names concrete
/// types.
final class Assembly {
    private let settings: Settings
    private let process = ProcessState()
    private let worker = WorkThread(bound: 16)
    private let reader = WorkThread(bound: 4_096)
    private let turns = UploadTurns()
    private let assets: AssetCache
    private let limiter: Limiter
    private let shared: SharedState
    private let servers: [Server]
    private let loops: [LoopThread]
    private var refresh: ModelRefresh?

    var threads: Int { loops.count }

    init(_ settings: Settings, _ log: Log) throws(Listener.Failure) {
        self.settings = settings
        Memory.prepareProcess()
        CurlClient.prepareProcess()
        let threads = settings.threads > 0 ? settings.threads : usableProcessors()
        let listeners = try Listener.open(host: settings.host, port: settings.port, count: threads)
        var bounds = ServerBounds()
        bounds.connections = Self.connectionsPerLoop(threads)
        let offers = Offers(settings, .oneMin)
        let rings = settings.providers.map { $0.apiKeys.isEmpty ? nil : KeyRing($0.apiKeys, weights: $0.keyWeights) }
        let store = try Self.store(settings.limits)
        let memory = settings.memory
        assets = AssetCache(mostBytes: memory.assetBytes)
        limiter = Self.limiter(settings.limits, store, bytes: memory.limitBytes, log)
        let budget = MemoryBudget(bytes: memory.bytes, setAside: memory.setAsideBytes, loops: threads)
        shared = SharedState(
            store ?? MemoryCounters(bytes: memory.storeBytes) { time(nil) },
            timeoutMilliseconds: settings.limits.storeTimeout.milliseconds
        )
        let files = FileShelf(shared)
        let paces = LoopPaces()
        let others: [any MetricsSource] = [log, limiter, budget, paces, ProcessFigures()]
        let metrics = Metrics(Self.labels(settings, offers), loops: threads, others: others)
        var servers: [Server] = []
        var loops: [LoopThread] = []
        var gateways: [Gateway] = []
        limiter.prepare()
        for (listener, counts) in zip(listeners, metrics.loops) {
            let loop = EventLoop(onLongTurn: { length in
                log.warning("an event loop was held up") { $0.add("duration_ms", Int(length / 1_000_000)) }
            })
            let gateway = try Self.gateway(
                settings,
                loop,
                log,
                limiter,
                budget,
                files,
                worker,
                reader,
                turns,
                assets,
                shared,
                process,
                offers,
                rings,
                counts,
                metrics
            )
            gateways.append(gateway)
            let handler = Router(gateway)
            let open = counts.connections
            servers.append(
                Server(
                    listener: listener,
                    loop: loop,
                    handler: handler,
                    bounds: bounds,
                    memory: MemoryDesk(budget, loop),
                    open: open
                )
            )
            loops.append(LoopThread(loop))
        }
        self.servers = servers
        self.loops = loops
        paces.watch(loops.map(\.loop.pace))
        refresh = try Self.refresh(settings, log, budget, gateways)
        if let refresh { loops[0].loop.call { refresh.start() } }
    }

    /// Nil: what is shared is shared by the loops of this process only.
    private static func store(_ settings: LimitSettings) throws(Listener.Failure) -> (any CounterStore)? {
        do throws(StoreFailure) {
            return try MemcachedCounters.store(settings)
        } catch {
            throw Listener.Failure(reason: "the counter store: \(error.reason)")
        }
    }

    private static func limiter(
        _ settings: LimitSettings,
        _ store: (any CounterStore)?,
        bytes: Int,
        _ log: Log
    ) -> Limiter {
        Limiter(
            store: store,
            rule: settings.storeDown,
            instances: settings.instances,
            timeoutMicroseconds: settings.storeTimeout.milliseconds * 1_000,
            slotSeconds: max(1, settings.slotLease.milliseconds / 1_000),
            bytes: bytes,
            onEvent: { $0.log(to: log) }
        )
    }

    /// Who keeps the models of 1min.ai up to date, by the first loop; nil: nobody is to.
    private static func refresh(
        _ settings: Settings,
        _ log: Log,
        _ budget: MemoryBudget,
        _ gateways: [Gateway]
    ) throws(Listener.Failure) -> ModelRefresh? {
        guard settings.modelsRefresh > .zero, let provider = settings.providers.first(where: { $0.kind == .onemin })
        else { return nil }
        let loop = gateways[0].loop
        let list = OneMinList(
            baseURL: provider.baseURL,
            options: EndpointOptions(provider, settings),
            transport: CurlClient(loop: loop, budget: budget),
            parser: JSONParser()
        )
        guard let list else { throw Listener.Failure(reason: "\(provider.baseURL) is not a URL") }
        return ModelRefresh(list, every: settings.modelsRefresh, loop, log) { catalogue in
            let offers = Offers(settings, catalogue)
            for gateway in gateways { gateway.loop.call { gateway.registry.offers = offers } }
        }
    }

    private static func gateway(
        _ settings: Settings,
        _ loop: EventLoop,
        _ log: Log,
        _ limiter: Limiter,
        _ budget: MemoryBudget,
        _ files: FileShelf,
        _ worker: WorkThread,
        _ reader: WorkThread,
        _ turns: UploadTurns,
        _ assets: AssetCache,
        _ shared: SharedState,
        _ process: ProcessState,
        _ offers: Offers,
        _ rings: [KeyRing?],
        _ counts: LoopMetrics,
        _ metrics: Metrics
    ) throws(Listener.Failure) -> Gateway {
        let client = CurlClient(loop: loop, budget: budget)
        // Through a proxy everything goes, and it decides where that may lead.
        let outside =
            settings.upstreamProxy == nil
            ? CurlClient(loop: loop, rule: AddressRule(adding: settings.fetch.networks), budget: budget) : client
        let parser = JSONParser()
        var entries: [Registry.Entry] = []
        var checkers: [any KeyChecker] = []
        for (provider, keys) in zip(settings.providers, rings) {
            let chat: any ChatProvider
            switch provider.kind {
            case .onemin:
                let options = EndpointOptions(provider, settings)
                let vendor = OneMin(
                    name: provider.name,
                    baseURL: provider.baseURL,
                    assetURL: provider.assetURL,
                    options: options,
                    transport: client,
                    turns: turns,
                    outside: outside,
                    loop: loop,
                    parser: parser
                )
                guard let vendor else { throw Listener.Failure(reason: "\(provider.baseURL) is not a URL") }
                if provider.isPassthrough { checkers.append(vendor) }
                chat = vendor
            case .echo: chat = Echo(name: provider.name, loop: loop)
            }
            entries.append(
                Registry.Entry(
                    provider: chat,
                    keys: keys,
                    isPassthrough: provider.isPassthrough,
                    price: provider.price,
                    takesCredits: provider.kind == .onemin
                )
            )
        }
        return Gateway(
            settings: settings,
            loop: loop,
            log: log,
            limiter: limiter,
            registry: Registry(entries, offers),
            keyCheckers: checkers,
            files: files,
            worker: worker,
            reader: reader,
            fetcher: fetcher(settings, loop, budget),
            assets: assets,
            shared: shared,
            process: process,
            counts: counts,
            metrics: metrics,
            parser: parser
        )
    }

    /// Nil: no picture is fetched.
    private static func fetcher(_ settings: Settings, _ loop: EventLoop, _ budget: MemoryBudget) -> Fetcher? {
        guard !settings.fetch.schemes.isEmpty else { return nil }
        return Fetcher(
            loop: loop,
            schemes: settings.fetch.schemes,
            rule: AddressRule(adding: settings.fetch.networks),
            agent: Product.name,
            certificateFile: settings.certificateFile,
            budget: budget
        )
    }

    /// What counts may name. What the operator named himself goes first: there is not room for any number.
    private static func labels(_ settings: Settings, _ offers: Offers) -> MetricLabels {
        let own = settings.providers.flatMap { $0.models.map(\.alias) } + settings.permittedModels
        return MetricLabels(
            routes: Router.labels,
            models: own + offers.names,
            providers: settings.providers.map(\.name),
            callers: settings.keys.map(\.name)
        )
    }

    /// A connection of a client may need one to a vendor: half of the descriptors, without those of the process, are
    /// for clients. The limit is raised as far as the system lets.
    private static func connectionsPerLoop(_ threads: Int) -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        let forClients = (Int(clamping: limit.rlim_cur) - 16 - 4 * threads) / 2
        return max(1, forClients / threads)
    }

    /// Ends the process when a loop hangs: its clients wait for nothing, and what starts the relay anew can help.
    func watchdog(_ log: Log) -> Watchdog {
        Watchdog(loops.map(\.loop)) { loop in
            log.error("an event loop hangs, the process ends") { $0.add("loop", loop) }
            LastExit.end(log)
        }
    }

    private static let endingMilliseconds = 1_000

    /// Ends what runs: nothing new is taken, and what is not complete in time, or when asked a second time, is cut.
    ///
    /// - Parameter onSecondSignal: called when it is asked a second time.
    func drain(onSecondSignal: () -> Void) {
        process.isDraining.store(true, ordering: .relaxed)
        if let refresh { loops[0].loop.call { refresh.stop() } }
        let remaining = Remaining(servers.count)
        for (server, thread) in zip(servers, loops) {
            thread.loop.call { server.drain { remaining.count.subtract(1, ordering: .releasing) } }
        }
        var waited = 0.0
        while remaining.count.load(ordering: .acquiring) > 0, waited < settings.shutdownSeconds {
            if Signals.comesAgain(within: 10) {
                onSecondSignal()
                break
            }
            waited += 0.01
        }
        for (server, thread) in zip(servers, loops) { thread.loop.call { server.closeAll() } }
        // What is cut has its end too: its use is charged and logged, its slots are free.
        for _ in 0..<Self.endingMilliseconds where remaining.count.load(ordering: .acquiring) > 0 { usleep(1_000) }
        for thread in loops { thread.loop.stop() }
        for thread in loops { thread.join() }
        limiter.stop()
        shared.stop()
        worker.stop()
        reader.stop()
    }
}

/// Servers that still have connections.
private final class Remaining: Sendable {
    let count: Atomic<Int>

    init(_ count: Int) { self.count = Atomic(count) }
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

extension LimiterEvent {
    fileprivate func log(to log: Log) {
        switch self {
        case .storeDown(let server, let reason):
            log.warning("counter store is away") { line in
                line.add("server", server)
                line.add("cause", reason)
            }
        case .storeBack(let server, let seconds):
            log.warning("counter store is back") { line in
                line.add("server", server)
                line.add("away_s", seconds)
            }
        case .brokenRecord(let key, let reason):
            log.warning("a counter was not readable, and is replaced") { line in
                line.add("key", key)
                line.add("cause", reason)
            }
        case .recordAhead(let key):
            log.warning("a counter was ahead of all clocks and is moved back") { $0.add("key", key) }
        case .clockOff(0): log.info("this machine's clock agrees with the others again")
        case .clockOff(let milliseconds):
            log.warning("this machine's clock is off; limits are corrected for it; check NTP") { line in
                line.add("ahead_ms", milliseconds)
            }
        }
    }
}
