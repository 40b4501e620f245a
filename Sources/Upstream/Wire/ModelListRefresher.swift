package import Engine
package import Shared

/// Requests a vendor's list of models at intervals. If a request fails, the last list stays in use.
package final class ModelListRefresher: OnLoop, @unchecked Sendable {
    private let list: any ModelList
    private let pauseNanoseconds: UInt64
    private let loop: EventLoop
    private let log: Log
    private let provider: String
    private let changed: @Sendable ([LiveModel]) -> Int
    private var last: [LiveModel] = []
    private var isFailing = false
    /// The upper limit of the pause between two requests while no list of models has arrived, in nanoseconds.
    private var retryNanoseconds: UInt64 = 1_000_000_000

    private static let longestRetryNanoseconds: UInt64 = 60_000_000_000
    private static let earlyPauseSeconds = 60
    private var task: Task<Void, Never>?
    private var earlyTask: Task<Void, Never>?
    private var nextEarlyTime = LoopTime.distantPast

    /// Creates a refresher, which does nothing until `start()`.
    /// - Parameters:
    ///   - pause: the time between two requests, above zero.
    ///   - changed: called on the event loop with each changed list. Returns the number of new models.
    package init(
        _ list: any ModelList,
        of provider: String,
        every pause: Duration,
        _ loop: EventLoop,
        log: Log,
        changed: @escaping @Sendable ([LiveModel]) -> Int
    ) {
        self.list = list
        self.provider = provider
        pauseNanoseconds = UInt64(pause.nanoseconds)
        self.loop = loop
        self.log = log
        self.changed = changed
    }

    /// Starts to request the vendor's model list at intervals. Must be called on the event loop.
    package func start() {
        task = Task(executorPreference: loop) {
            while !Task.isCancelled {
                await self.read()
                await self.loop.sleep(nanoseconds: self.nextPause)
            }
        }
    }

    /// Stops requesting the list. Must be called on the event loop.
    package func stop() {
        task?.cancel()
        earlyTask?.cancel()
    }

    /// Requests the vendor's model list now, at most once a minute. Must be called on the event loop.
    package func readEarly() {
        let now = loop.now
        guard let task, !task.isCancelled, now >= nextEarlyTime else { return }
        nextEarlyTime = now.adding(seconds: Self.earlyPauseSeconds)
        earlyTask = Task(executorPreference: loop) { await self.read() }
    }

    /// The time until the model list is requested again, in nanoseconds.
    private var nextPause: UInt64 {
        guard last.isEmpty else { return pauseNanoseconds }
        defer { retryNanoseconds = min(2 * retryNanoseconds, Self.longestRetryNanoseconds) }
        return min(pauseNanoseconds, retryNanoseconds)
    }

    private func read() async {
        do throws(UpstreamError) {
            let models = try await list.models()
            isFailing = false
            guard models != last, !Task.isCancelled else { return }
            last = models
            let new = changed(models)
            log.info("models read") { line in
                line.add("provider", provider)
                line.add("listed", models.count { !$0.isDisabled })
                line.add("new", new)
            }
        } catch {
            guard error.kind != .cancelled, !isFailing else { return }
            isFailing = true
            log.warning("models not read") { line in
                line.add("provider", provider)
                line.add("cause", error.locatedCause)
            }
        }
    }
}
