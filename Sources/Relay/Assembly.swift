import Engine
import Glibc
import Limits
import Routes
import Shared
import Synchronization
import Upstream
import UsageRecords

/// The running relay: it creates, starts and shuts down all parts of the process. Only this type decides which concrete
/// types the relay uses.
final class Assembly {
    private let process: ProcessState
    private let worker: WorkQueue
    private let reader = Worker(bound: 4_096)
    private let limiter: Limiter
    private let savedLimits: SavedLimits
    private let states: SharedStates
    private let cachedResponses: ResponseCache
    private let served: [ServedLoop]
    private let reloader: Reloader
    private let usage: UsageRecorder
    private let blocks: KeptBlocks
    private let clock: OperatorClock
    private let alerts = BudgetAlerts()

    var threads: Int { served.count }

    init(_ settings: Settings, file: String?, _ remote: Settings.Remote?, log: Log) throws(Listener.Failure) {
        Memory.prepareProcess()
        CurlClient.prepareProcess()
        let threads = settings.threads > 0 ? settings.threads : usableProcessors()
        let sockets = try Sockets(settings, loops: threads)
        let store = try Self.store(settings.limits)
        let memory = settings.memory
        let loops = sockets.api.map { _ in ServedLoop.loop(log) }
        limiter = Self.limiter(settings.limits, store, on: loops, bytes: memory.limitBytes, log: log, alerts)
        worker = WorkQueue(bytes: memory.bytes / 8)
        let budget = MemoryBudget(bytes: memory.bytes, setAside: memory.setAsideBytes, loops: threads)
        blocks = KeptBlocks(budget, loops[0], by: reader)
        states = SharedStates(settings, store)
        cachedResponses = ResponseCache(budget, shared: states.ofCachedResponses, worker: worker, log)
        usage = try Self.usageBook(settings, budget, log: log)
        savedLimits = SavedLimits(settings, of: limiter, usage.copies, log)
        process = ProcessState(Self.adminState(settings, states, store: store))
        let lasting = ProcessServices(
            log: log,
            budget: budget,
            worker: worker,
            limiter: limiter,
            usage: usage,
            shared: states.ofInstances,
            admin: process.admin,
            notices: ProviderNotices(log)
        )
        let makers = SetupBuilder(settings, lasting)
        let paces = LoopDelays()
        let ends = ModelShutdownDates(makers.modelCatalog, log)
        let figures = ProviderMetrics()
        makers.show(in: figures)
        let others: [any MetricsSource] = [
            log, limiter, budget, usage, cachedResponses, paces, figures, ends, ProcessFigures(), alerts,
        ]
        let metrics = Metrics(makers.labels, loops: threads, others: others)
        let parts = SharedServices(
            log: log,
            memory: budget,
            limiter: limiter,
            files: FileStore(states.all),
            responses: StoredResponses(states.responses),
            cachedResponses: cachedResponses,
            worker: worker,
            reader: reader,
            assets: AssetCache(maxBytes: memory.assetBytes),
            shared: states.all,
            process: process,
            metrics: metrics,
            usage: usage
        )
        served = try Self.serve(sockets.listening(on: loops, metrics), parts, makers: makers)
        Self.watch(served, paces, metrics: metrics, process: process)
        let live = Reloader.Parts(lasting: lasting, metrics: metrics, figures: figures, ends: ends, served: served)
        reloader = Reloader(makers, file: file, remote, live)
        let reloader: any SettingsReloader = reloader
        process.reloader.withLock { $0 = reloader }
        alerts.begin(parts, served[0].own, served[0].router)
        clock = OperatorClock(parts, served[0].own, router: served[0].router, paces: served.map(\.loop.pace))
    }

    /// Starts the measurement of the event loops' delays and the history of the metrics.
    private static func watch(_ served: [ServedLoop], _ paces: LoopDelays, metrics: Metrics, process: ProcessState) {
        paces.watch(served.map(\.loop.pace))
        let history = FigureHistory(of: metrics, on: served[0].loop)
        process.figures.withLock { $0 = history }
        served[0].loop.call { history.begin() }
    }

    private static func serve(
        _ listening: [Listening],
        _ parts: SharedServices,
        makers: SetupBuilder
    ) throws(Listener.Failure) -> [ServedLoop] {
        var bounds = ServerBounds()
        bounds.connections = connectionsPerLoop(listening.count)
        var served: [ServedLoop] = []
        for one in listening { served.append(try ServedLoop(one, parts, makers: makers, bounds: bounds)) }
        return served
    }

    /// Prepares the limits, and then starts to accept requests. Blocks until all loops accept them.
    func begin() {
        limiter.prepare()
        savedLimits.start()
        served.onLoops { _, one in for server in one.servers { server.listen() } }
        clock.start()
    }

    /// Stores the effective settings that the admin pages list. Call this method before `begin()`.
    func show(_ listing: SettingsListing) { process.admin.listing.withLock { $0 = listing } }

    /// Schedules a reload of the settings, and reopens the usage log files.
    func reload() {
        usage.reopen()
        reloader.begin()
    }

    /// The time that running requests get to finish at shutdown, in seconds.
    var shutdownSeconds: Double { Double(reloader.shutdownMilliseconds) / 1_000 }

    /// Creates the recorder of usage records. Throws if the records cannot be written.
    private static func usageBook(
        _ settings: Settings,
        _ budget: MemoryBudget,
        log: Log
    ) throws(Listener.Failure) -> UsageRecorder {
        do throws(UsageFailure) {
            if let folder = settings.dataFolder { try DataFolder.prepare(folder) }
            if let file = settings.usageFile { try UsageFile(file).check() }
            let book = UsageRecorder(
                settings.usageFile,
                database: try .database(settings.usageDatabase, log),
                budget,
                log: log
            )
            book.keep(inMemory: settings.admin?.records, DayZone(named: settings.timeZone))
            return book
        } catch {
            throw Listener.Failure(reason: error.cause)
        }
    }

    private static func adminState(
        _ settings: Settings,
        _ states: SharedStates,
        store: (any CounterStore)?
    ) -> AdminState {
        AdminState(
            instance: name(settings.port),
            dataFolder: settings.dataFolder,
            hasOwnAdminSocket: settings.admin?.listener != nil,
            shared: states.ofInstances,
            scope: StoreScope(settings.limits.storeSecret, settings.keys),
            counters: store
        )
    }

    /// Returns the name of this instance: host name and port.
    private static func name(_ port: Int) -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return "\(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)):\(port)"
    }

    /// Creates the counter store in memcached; nil if the settings do not use memcached.
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
        on loops: [EventLoop],
        bytes: Int,
        log: Log,
        _ alerts: BudgetAlerts
    ) -> Limiter {
        var options = LimiterOptions.standard
        options.storeDown = settings.storeDown
        options.instances = settings.instances
        options.timeoutMicroseconds = settings.storeTimeout.milliseconds * 1_000
        options.slotMicroseconds = settings.slotSeconds * 1_000_000
        options.bytes = bytes
        options.secret = settings.storeSecret.map { StoreSecret($0) }
        options.readsFormerKeys = true
        options.maxWaiting = settings.maxWaiting
        return Limiter(store: store, options, on: loops) { event in
            event.log(to: log)
            alerts.take(event)
        }
    }

    /// Returns the largest number of client connections of each loop. First raises the process's limit of file
    /// descriptors to the maximum.
    private static func connectionsPerLoop(_ threads: Int) -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        let forClients = (Int(clamping: limit.rlim_cur) - 16 - 4 * threads) / 2
        return max(1, forClients / threads)
    }

    /// Creates the watchdog, which ends the process if an event loop hangs.
    func watchdog(_ log: Log) -> Watchdog {
        Watchdog(served.map(\.loop)) { loop in
            log.error("an event loop is blocked; exiting") { $0.add("loop", loop) }
            ShutdownWatchdog.end(log)
        }
    }

    private static let endingMilliseconds = 1_000
    /// The time in which requests that waited for their turn get their refusal, in milliseconds.
    private static let refusingMilliseconds = 100
    /// The time after the last requests in which the stores must end, in milliseconds: less than the watchdog's.
    private static let storesMilliseconds = Int(ShutdownWatchdog.graceSeconds * 1_000) - 500

    /// Shuts down: accepts no new requests and lets running requests finish. Cuts the requests that still run after
    /// `shutdownSeconds` or when a second signal arrives. Blocks.
    func drain(_ log: Log, onSecondSignal: () -> Void) {
        process.isDraining.store(true, ordering: .relaxed)
        reloader.end()
        var end = LoopTime.current().adding(milliseconds: Int(shutdownSeconds * 1_000) + Self.storesMilliseconds)
        clock.stop()
        let shutdownSeconds = shutdownSeconds
        // Load balancers need time to see `/ready`, and the last requests need time to finish.
        let listening = UInt64(shutdownSeconds / 3 * 1e9)
        let remaining = RemainingServers(served.reduce(0) { $0 + $1.servers.count })
        for one in served {
            one.loop.call {
                for server in one.servers {
                    server.drain(listening: listening) { remaining.count.subtract(1, ordering: .releasing) }
                }
            }
        }
        var waited = 0.0
        while remaining.count.load(ordering: .acquiring) > 0, waited < shutdownSeconds {
            if Signals.arrivesAgain(within: 10) {
                onSecondSignal()
                end = LoopTime.current().adding(milliseconds: Self.storesMilliseconds)
                break
            }
            waited += 0.01
        }
        limiter.endWaits()
        for _ in 0..<Self.refusingMilliseconds where remaining.count.load(ordering: .acquiring) > 0 { usleep(1_000) }
        process.hasCut.store(true, ordering: .relaxed)
        for one in served { one.loop.call { for server in one.servers { server.closeAll() } } }
        // A request that was cut also ends properly: its usage is charged and logged, and its slots are released.
        for _ in 0..<Self.endingMilliseconds where remaining.count.load(ordering: .acquiring) > 0 { usleep(1_000) }
        reloader.stop()
        // The usage records are written after that.
        limiter.stop(withinMilliseconds: end.milliseconds(since: .current()) - Self.endingMilliseconds / 2)
        for one in served { one.loop.stop() }
        for one in served { one.thread.join() }
        alerts.stop(log)
        process.admin.stop()
        states.stop()
        cachedResponses.stop()
        worker.stop()
        // The reader may still mask bodies of the last requests.
        reader.join()
        stopUsage(until: end, log)
    }

    /// Writes the last counters and usage records. A database that hangs does not hold up the end of the process.
    private func stopUsage(until end: LoopTime, _ log: Log) {
        let isStopped = Signal()
        Worker().begin { [savedLimits, usage] in
            savedLimits.stop()
            usage.stop()
            isStopped.wake()
        }
        if isStopped.wait(until: end) { return }
        log.warning("the database of usage records does not respond; the last records may be lost")
    }
}

/// The number of servers that still have connections.
private final class RemainingServers: Sendable {
    let count: Atomic<Int>

    init(_ count: Int) { self.count = Atomic(count) }
}
