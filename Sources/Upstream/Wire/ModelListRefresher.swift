package import Calls
package import Engine
package import Shared

/// Reads a vendor's model list at intervals, on one loop. If the list cannot be read, the last one stays in use.
///
/// `@unchecked`: used on its loop only.
package final class ModelListRefresher: @unchecked Sendable {
    private let list: any ModelList
    private let pauseNanoseconds: UInt64
    private let loop: EventLoop
    private let log: Log
    private let provider: String
    private let changed: @Sendable ([LiveModel]) -> Int
    private var last: [LiveModel] = []
    private var isFailing = false
    /// The pause before the next try while no list has been read.
    private var retryNanoseconds: UInt64 = 1_000_000_000

    private static let longestRetryNanoseconds: UInt64 = 60_000_000_000
    private static let earlyPauseSeconds = 60
    private var task: Task<Void, Never>?
    private var earlyTask: Task<Void, Never>?
    private var nextEarlyTime = LoopTime.distantPast

    /// - Parameters:
    ///   - provider: the name of the provider whose list is read.
    ///   - pause: the time between two readings, above zero.
    ///   - changed: is called on the loop with a list that differs from the last one. It returns how many models are
    ///     new.
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

    /// Starts reading. Call it on the loop.
    package func start() {
        task = Task(executorPreference: loop) {
            while !Task.isCancelled {
                await self.read()
                await self.loop.sleep(nanoseconds: self.nextPause)
            }
        }
    }

    /// Stops reading. Call it on the loop.
    package func stop() {
        task?.cancel()
        earlyTask?.cancel()
    }

    /// Reads the list between two regular readings, at most once a minute. Call it on the loop.
    package func readEarly() {
        let now = loop.now
        guard let task, !task.isCancelled, now >= nextEarlyTime else { return }
        nextEarlyTime = now.adding(seconds: Self.earlyPauseSeconds)
        earlyTask = Task(executorPreference: loop) { await self.read() }
    }

    /// The time until the next reading; shorter until a list has been read.
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
