import Engine
import Glibc
import Limits
import Routes
import Shared
import Synchronization
import Upstream
import UsageRecords

/// A reader that loads the settings again and applies them on all loops. If the new settings are invalid, the relay
/// keeps the old ones.
///
/// `@unchecked`: mutable state is used only on the worker's thread, and after that thread has ended.
final class Reloader: SettingsReloader, @unchecked Sendable {
    /// The parts of the process to which a reload applies new settings.
    struct Parts: Sendable {
        let lasting: ProcessServices
        let metrics: Metrics
        let figures: ProviderMetrics
        let ends: ModelShutdownDates
        let served: [ServedLoop]
    }

    private let parts: Parts
    /// The settings at startup, for the report of changes that need a restart.
    private let first: Settings
    /// The settings at startup as the admin pages list them; nil before the first reload.
    private var firstListing: SettingsListing?
    private let worker = Worker(bound: 4)
    private var makers: SetupBuilder
    /// The name of the settings file that the settings in use are from; nil if there is none.
    private var file: String?
    private var remote: Settings.Remote?
    private var models: LiveModels?
    /// The task that regularly reads the remote settings document (`CONFIG_URL`); nil if no such document is polled.
    private var poll: Task<Void, Never>?
    private var lastProblems: [String] = []
    private let seconds: Atomic<Int>
    /// Whether a reload is scheduled on the worker's thread and has not started yet.
    private let isWaiting = Atomic(false)
    /// Whether the process is shutting down. Scheduled reloads then do nothing.
    private let isEnding = Atomic(false)

    private var mayReload: Bool { !isEnding.load(ordering: .relaxed) }

    private static let patienceNanoseconds: UInt64 = 60_000_000_000

    private var settings: Settings { makers.settings }

    /// Creates the reloader. Starts to read the vendors' model lists and the remote settings document regularly.
    init(_ makers: SetupBuilder, file: String?, _ remote: Settings.Remote?, _ parts: Parts) {
        self.makers = makers
        self.file = file
        first = makers.settings
        self.remote = remote
        self.parts = parts
        seconds = Atomic(makers.settings.shutdownMilliseconds)
        worker.begin { [self] in
            start(settings, LiveModels.ModelLists())
            startPolling()
        }
    }

    /// The time that running requests get to finish at shutdown, in milliseconds. A reload can change it.
    var shutdownMilliseconds: Int { seconds.load(ordering: .relaxed) }

    /// Ends a running download of the settings, and prevents further reloads.
    func end() { isEnding.store(true, ordering: .relaxed) }

    /// Waits until a running reload has ended, after `end()`.
    func stop() {
        worker.join()
        models?.stop()
        poll?.cancel()
    }

    /// Schedules a reload on the worker's thread, unless a scheduled reload has not started yet.
    func begin() {
        guard !isWaiting.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let isTaken = worker.begin { [self] in
            isWaiting.store(false, ordering: .releasing)
            _ = reload()
        }
        // If the queue is full, the waiting reloads will read the same settings.
        if !isTaken { isWaiting.store(false, ordering: .releasing) }
    }

    func reload(on loop: EventLoop) async -> ReloadOutcome? {
        await worker.result(on: loop, withinNanoseconds: Self.patienceNanoseconds) { [self] in reload() }
    }

    // MARK: On its thread

    /// Reads the settings again and applies them.
    /// - Parameter isPolled: whether regular polling, not an operator, causes the reload.
    private func reload(isPolled: Bool = false) -> ReloadOutcome {
        guard mayReload else { return .stopping }
        if !isPolled { ServiceManager.ofProcess.report(.reloading) }
        defer { if !isPolled, mayReload { ServiceManager.ofProcess.report(.ready) } }
        let outcome = Settings.ofProcess(
            Vendors.catalogues,
            &remote,
            from: first.remoteLocation,
            keeping: file
        ) { !self.mayReload }
        guard mayReload else { return .stopping }
        guard let next = outcome.settings else {
            let refusal = refused(outcome.problems.map(\.description), isPolled: isPolled)
            return outcome.isUnavailable ? .unavailable(outcome.problems.first?.text ?? "") : refusal
        }
        let areSame = next == settings
        if areSame, isPolled {
            lastProblems = []
            return .reloaded(waiting: [])
        }
        if isPolled, let loss = settings.loss(in: next) { return refused([loss], isPolled: true) }
        let waiting = waitingForRestart(next, SettingsListing(outcome.effective))
        do throws(Listener.Failure) {
            try use(next)
        } catch {
            return refused([error.reason], isPolled: isPolled)
        }
        file = outcome.file
        parts.lasting.admin.listing.withLock {
            $0 = SettingsListing(outcome.effective, warnings: outcome.warnings, waiting: waiting)
        }
        if !waiting.isEmpty {
            parts.lasting.log.warning("settings that need a restart have changed") {
                $0.add("settings", waiting.joined(separator: ", "))
            }
        }
        for warning in outcome.warnings {
            parts.lasting.log.warning("configuration") { $0.add("problem", "\(warning)") }
        }
        lastProblems = []
        let message: StaticString = areSame ? "settings have not changed" : "settings reloaded"
        parts.lasting.log.info(message) { $0.add("summary", next.summary(withStore: first.limits.store)) }
        return .reloaded(waiting: waiting)
    }

    /// Returns the names of the settings that differ from those at startup and only take effect after a restart.
    private func waitingForRestart(_ next: Settings, _ listing: SettingsListing) -> [String] {
        let before = firstListing ?? parts.lasting.admin.listing.withLock { $0 }
        firstListing = before
        let ofStore = listing.names(with: "MEMCACHED_", differingIn: before).filter { $0 != "MEMCACHED_TIMEOUT" }
        return first.waitingForRestart(next).flatMap { $0 == Settings.ofStore && !ofStore.isEmpty ? ofStore : [$0] }
    }

    private func refused(_ problems: [String], isPolled: Bool) -> ReloadOutcome {
        defer { lastProblems = problems }
        if isPolled, problems == lastProblems { return .refused(problems) }
        for problem in problems {
            parts.lasting.log.error("settings were not reloaded") { $0.add("problem", problem) }
        }
        return .refused(problems)
    }

    /// Applies new settings on all loops. If one setup cannot be built, all loops keep the old settings.
    private func use(_ next: Settings) throws(Listener.Failure) {
        let known = models?.known(under: next) ?? LiveModels.ModelLists()
        if let file = next.usageFile, file != settings.usageFile {
            do throws(UsageFailure) {
                try UsageFile(file).check()
            } catch {
                throw Listener.Failure(reason: error.cause)
            }
        }
        let makers = SetupBuilder(next, parts.lasting, known, after: makers)
        let labels = parts.metrics.add(makers.labels)
        var setups: [Setup] = []
        let made = parts.served.onLoops { _, one in
            Result { () throws(Listener.Failure) in try makers.setup(of: one.own) }
        }
        for setup in made { setups.append(try setup.get()) }
        models?.stop()
        // From here on, no loop gets models that were read for the old settings.
        changeWaiting(setups)
        makers.useCapacities()
        parts.served.onLoops { [setups] location, one in
            one.own.counts.use(labels)
            makers.use(setups[location], one.own, router: one.router)
        }
        // Requests of the meantime can wait by the old settings, too.
        changeWaiting(setups)
        makers.show(in: parts.figures)
        parts.ends.use(makers.modelCatalog)
        parts.lasting.log.use(next.logLevel)
        parts.lasting.usage.use(next.usageFile)
        parts.lasting.usage.keep(inMemory: next.admin?.records, DayZone(named: next.timeZone))
        let limits = next.limits
        parts.lasting.limiter.use(limits.storeDown, instances: limits.instances, maxWaiting: limits.maxWaiting)
        seconds.store(next.shutdownMilliseconds, ordering: .relaxed)
        self.makers = makers
        start(next, known)
    }

    /// Lets requests that wait in limits wait by these setups, before new requests are decided.
    private func changeWaiting(_ setups: [Setup]) {
        let changed = parts.served.onLoops { location, one in one.router.changedLimits(under: setups[location]) }
        parts.lasting.limiter.change(changed.flatMap(\.self))
    }

    /// Starts to read the vendors' model lists regularly, under these settings.
    private func start(_ settings: Settings, _ known: LiveModels.ModelLists) {
        let (ends, served) = (parts.ends, parts.served)
        models = LiveModels(settings, known, unsupported: makers.unsupported, log: parts.lasting.log, on: served[0].own)
        { modelCatalog in
            ends.use(modelCatalog)
            for one in served { one.loop.call { one.router.use(modelCatalog) } }
        }
        models?.start()
    }

    private func startPolling() {
        let pause = UInt64(clamping: first.remoteLocation.refreshPause.nanoseconds)
        guard first.remoteLocation.url != nil, pause > 0 else { return }
        let loop = parts.served[0].loop
        poll = Task(executorPreference: loop) { [weak self] in
            while !Task.isCancelled {
                await loop.sleep(nanoseconds: pause)
                guard let self, !Task.isCancelled else { return }
                worker.begin { _ = self.reload(isPolled: true) }
            }
        }
    }
}

extension Settings {
    var shutdownMilliseconds: Int { Int(shutdownSeconds * 1_000) }

    /// Returns what a polled document must not do without an operator; nil if `next` may be applied.
    ///
    /// A document without keys or providers is more often a mistake than a wish, and may open the relay to everybody.
    fileprivate func loss(in next: Settings) -> String? {
        let (names, nextNames) = (Set(providers.map(\.name)), Set(next.providers.map(\.name)))
        let hadKeys = providers.contains { !$0.apiKeys.isEmpty }
        let removed =
            if !keys.isEmpty, next.keys.isEmpty {
                "keys (KEY_<NAME>_TOKEN)"
            } else if !names.isEmpty,
                names.isDisjoint(with: nextNames)
                    || hadKeys && !next.providers.contains(where: { !$0.apiKeys.isEmpty })
            {
                "providers (PROVIDER_<NAME>_*)"
            } else {
                nil as String?
            }
        return removed.map { "CONFIG_URL: the document removes all \($0); reload the settings by hand to apply it" }
    }

    /// Returns the names of the settings that differ in `next` and only take effect after a restart.
    func waitingForRestart(_ next: Settings) -> [String] {
        let (remote, database) = (remoteLocation, usageDatabase)
        let (nextRemote, nextDatabase) = (next.remoteLocation, next.usageDatabase)
        let settings: [(name: String, isChanged: Bool)] = [
            ("HOST", host != next.host), ("PORT", port != next.port),
            ("ADMIN_LISTEN", admin?.listener != next.admin?.listener), ("THREADS", threads != next.threads),
            ("MEMORY_MB", memory.bytes != next.memory.bytes), (Self.ofStore, limits.store != next.limits.store),
            ("STORE_SECRET", limits.storeSecret != next.limits.storeSecret),
            ("MEMCACHED_TIMEOUT", limits.storeTimeout != next.limits.storeTimeout),
            ("SLOT_SECONDS", limits.slotLease != next.limits.slotLease), ("LOG_FORMAT", logFormat != next.logFormat),
            ("CONFIG_URL", remote.url != nextRemote.url), ("CONFIG_KEY", remote.key != nextRemote.key),
            ("CONFIG_REQUIRED", remote.isRequired != nextRemote.isRequired),
            ("CONFIG_REFRESH_SECONDS", remote.refreshPause != nextRemote.refreshPause),
            ("DATA_DIR", dataFolder != next.dataFolder),
            ("USAGE_DATABASE_URL", database?.server != nextDatabase?.server),
            ("USAGE_DATA_DAYS", database?.days != nextDatabase?.days),
            ("USAGE_DATA_MAX_MB", database?.maxBytes != nextDatabase?.maxBytes),
        ]
        return settings.filter(\.isChanged).map(\.name)
    }

    fileprivate static let ofStore = "MEMCACHED_*"
}

extension UsageDatabaseSettings {
    fileprivate var server: String? { if case .server(let url) = location { url } else { nil } }
}

extension ReloadOutcome {
    fileprivate static let stopping = ReloadOutcome.unavailable("the relay is shutting down")
}
