import Calls
import Engine
import Glibc
import Limits
import Routes
import Shared
import Synchronization
import Upstream

/// Reads the settings anew, and puts them into use on all loops. Whatever is wrong with them, the old ones stay. Requests
/// that run end under the settings that they began with.
///
/// `@unchecked`: what changes is used on its worker's thread only, and once that has ended.
final class Reloader: SettingsReloader, @unchecked Sendable {
    /// The parts of the process that it changes.
    struct Parts: Sendable {
        let lasting: LastingParts
        let metrics: Metrics
        let figures: ProviderFigures
        let ends: ModelEnds
        let served: [ServedLoop]
    }

    private let parts: Parts
    /// Of the start.
    private let first: Settings
    private let worker = Worker(bound: 4)
    private var makers: SetupParts
    private var remote: Settings.Remote?
    private var models: LiveModels?
    /// Asks for other settings now and then; nil: nobody does.
    private var poll: Task<Void, Never>?
    private var lastProblems: [String] = []
    private let seconds: Atomic<Int>
    /// Whether a reload that `begin` asked for waits for the thread.
    private let isWaiting = Atomic(false)
    /// Whether the process ends, so that reloads which wait for the thread do nothing.
    private let isEnding = Atomic(false)

    private static let patienceNanoseconds: UInt64 = 60_000_000_000

    private var settings: Settings { makers.settings }

    /// - Parameter makers: of the present setups.
    init(_ makers: SetupParts, _ remote: Settings.Remote?, _ parts: Parts) {
        self.makers = makers
        first = makers.settings
        self.remote = remote
        self.parts = parts
        seconds = Atomic(makers.settings.shutdownMilliseconds)
        worker.begin { [self] in
            start(settings, LiveModels.Known())
            startPolling()
        }
    }

    /// The time that requests have to end, as it is set now.
    var shutdownMilliseconds: Int { seconds.load(ordering: .relaxed) }

    /// Returns once the reload that runs, if any, is over.
    func stop() {
        isEnding.store(true, ordering: .relaxed)
        worker.join()
        models?.stop()
        poll?.cancel()
    }

    /// Schedules a reload on the thread, unless one that has not begun does for both.
    func begin() {
        guard !isWaiting.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let isTaken = worker.begin { [self] in
            isWaiting.store(false, ordering: .releasing)
            _ = reload()
        }
        // Those that wait in its place read the same settings.
        if !isTaken { isWaiting.store(false, ordering: .releasing) }
    }

    func reload(on loop: EventLoop) async -> ReloadOutcome? {
        await worker.result(on: loop, withinNanoseconds: Self.patienceNanoseconds) { [self] in reload() }
    }

    // MARK: On its thread

    /// - Parameter isPolled: nobody asked, so the log tells what changed only.
    private func reload(isPolled: Bool = false) -> ReloadOutcome {
        guard !isEnding.load(ordering: .relaxed) else { return .unavailable("the relay is ending") }
        let outcome = Settings.ofProcess(Vendors.catalogues, &remote, from: first.remotePlace)
        guard let next = outcome.settings else {
            let refusal = refused(outcome.problems.map(\.description), isPolled: isPolled)
            return outcome.isUnavailable ? .unavailable(outcome.problems.first?.text ?? "") : refusal
        }
        let areSame = next == settings
        if areSame, isPolled {
            lastProblems = []
            return .reloaded
        }
        do throws(Listener.Failure) {
            try use(next)
        } catch {
            return refused([error.reason], isPolled: isPolled)
        }
        parts.lasting.admin.listing.withLock {
            $0 = SettingsListing(outcome.effective, warnings: outcome.warnings)
        }
        for warning in outcome.warnings {
            parts.lasting.log.warning("configuration") { $0.add("problem", "\(warning)") }
        }
        lastProblems = []
        let message: StaticString = areSame ? "settings are the same" : "settings reloaded"
        parts.lasting.log.info(message) { $0.add("summary", next.summary) }
        return .reloaded
    }

    private func refused(_ problems: [String], isPolled: Bool) -> ReloadOutcome {
        defer { lastProblems = problems }
        if isPolled, problems == lastProblems { return .refused(problems) }
        for problem in problems {
            parts.lasting.log.error("settings are not reloaded") { $0.add("problem", problem) }
        }
        return .refused(problems)
    }

    /// All loops have what they need before the first uses it.
    private func use(_ next: Settings) throws(Listener.Failure) {
        let known = models?.known(under: next) ?? LiveModels.Known()
        if let file = next.usageFile, file != settings.usageFile {
            do throws(UsageFailure) {
                try UsageFile(file).check()
            } catch {
                throw Listener.Failure(reason: "USAGE_LOG_FILE: \(error.cause)")
            }
        }
        let makers = SetupParts(next, parts.lasting, known, after: makers)
        let labels = parts.metrics.add(makers.labels)
        var setups: [Setup] = []
        for made in onLoops({ _, one in Result { () throws(Listener.Failure) in try makers.setup(of: one.own) } }) {
            setups.append(try made.get())
        }
        let waiting = first.waitingForRestart(next)
        if !waiting.isEmpty {
            parts.lasting.log.warning("settings that need a restart have changed") {
                $0.add("settings", waiting.joined(separator: ", "))
            }
        }
        models?.stop()
        // From here on no loop is told of models that were read for the old settings.
        _ = onLoops { _, _ in }
        _ = onLoops { [setups] place, one in
            one.own.counts.use(labels)
            makers.use(setups[place], one.own, one.router)
        }
        makers.show(in: parts.figures)
        parts.ends.use(makers.offers)
        parts.lasting.log.use(next.logLevel)
        parts.lasting.usage.use(next.usageFile)
        parts.lasting.usage.keep(
            inMemory: next.admin?.records,
            DayZone(named: next.admin?.timeZone ?? "UTC")
        )
        parts.lasting.limiter.use(next.limits.storeDown, instances: next.limits.instances)
        seconds.store(next.shutdownMilliseconds, ordering: .relaxed)
        self.makers = makers
        start(next, known)
    }

    /// Reads the vendors' lists of models from now on.
    private func start(_ settings: Settings, _ known: LiveModels.Known) {
        let (ends, served) = (parts.ends, parts.served)
        models = LiveModels(settings, known, makers.unsupported, parts.lasting.log, on: served[0].own) { offers in
            ends.use(offers)
            for one in served { one.loop.call { one.router.use(offers) } }
        }
        models?.start()
    }

    private func startPolling() {
        let pause = UInt64(clamping: first.remotePlace.refreshPause.nanoseconds)
        guard first.remotePlace.url != nil, pause > 0 else { return }
        let loop = parts.served[0].loop
        poll = Task(executorPreference: loop) { [weak self] in
            while !Task.isCancelled {
                await loop.sleep(nanoseconds: pause)
                guard let self, !Task.isCancelled else { return }
                worker.begin { _ = self.reload(isPolled: true) }
            }
        }
    }

    /// The results of `work` on each loop, which is told its place, once all have done it.
    private func onLoops<Value: Sendable>(_ work: @escaping @Sendable (Int, ServedLoop) -> Value) -> [Value] {
        let results = Lock([Value?](repeating: nil, count: parts.served.count))
        let left = LoopsLeft(parts.served.count)
        for (place, one) in parts.served.enumerated() {
            one.loop.call {
                let value = work(place, one)
                results.withLock { $0[place] = value }
                left.done()
            }
        }
        left.wait()
        return results.withLock { $0.compactMap(\.self) }
    }
}

/// Loops that have not done something yet.
private final class LoopsLeft: Sendable {
    private let count: Atomic<Int>
    private let signal = Signal()

    init(_ count: Int) { self.count = Atomic(count) }

    func done() {
        if count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { signal.wake() }
    }

    func wait() {
        while count.load(ordering: .acquiring) > 0 { signal.wait() }
    }
}

extension Settings {
    var shutdownMilliseconds: Int { Int(shutdownSeconds * 1_000) }

    /// The names of settings that differ there and are read at start only.
    func waitingForRestart(_ next: Settings) -> [String] {
        var names: [String] = []
        if host != next.host { names.append("HOST") }
        if port != next.port { names.append("PORT") }
        if admin?.listener != next.admin?.listener { names.append("ADMIN_LISTEN") }
        if threads != next.threads { names.append("THREADS") }
        if memory.bytes != next.memory.bytes { names.append("MEMORY_MB") }
        if limits.store != next.limits.store { names.append("MEMCACHED_*") }
        if limits.storeSecret != next.limits.storeSecret { names.append("STORE_SECRET") }
        if limits.storeTimeout != next.limits.storeTimeout { names.append("MEMCACHED_TIMEOUT") }
        if limits.slotLease != next.limits.slotLease { names.append("SLOT_SECONDS") }
        if logFormat != next.logFormat { names.append("LOG_FORMAT") }
        names += waitingRemote(next)
        names += waitingDatabase(next)
        return names
    }

    private func waitingRemote(_ next: Settings) -> [String] {
        var names: [String] = []
        if remotePlace.url != next.remotePlace.url { names.append("CONFIG_URL") }
        if remotePlace.key != next.remotePlace.key { names.append("CONFIG_KEY") }
        if remotePlace.isRequired != next.remotePlace.isRequired { names.append("CONFIG_REQUIRED") }
        if remotePlace.refreshPause != next.remotePlace.refreshPause { names.append("CONFIG_REFRESH_SECONDS") }
        return names
    }

    /// Of the database of usage records.
    private func waitingDatabase(_ next: Settings) -> [String] {
        var names: [String] = []
        if dataFolder != next.dataFolder { names.append("DATA_DIR") }
        guard usageDatabase != next.usageDatabase else { return names }
        if usageDatabase?.server != next.usageDatabase?.server { names.append("USAGE_DATABASE_URL") }
        if usageDatabase?.days != next.usageDatabase?.days { names.append("USAGE_DATA_DAYS") }
        if usageDatabase?.mostBytes != next.usageDatabase?.mostBytes { names.append("USAGE_DATA_MAX_MB") }
        return names
    }
}

extension UsageDatabaseSettings {
    fileprivate var server: String? { if case .server(let url) = place { url } else { nil } }
}
