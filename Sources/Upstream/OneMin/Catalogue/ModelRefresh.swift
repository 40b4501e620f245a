package import Calls
package import Engine
package import Shared

/// Reads the vendor's list of models now and then, on one loop, once the relay serves. What was known stays as long as
/// the list cannot be read.
///
/// `@unchecked`: used on its loop only.
package final class ModelRefresh: @unchecked Sendable {
    private let list: any ModelList
    private let pauseNanoseconds: UInt64
    private let loop: EventLoop
    private let log: Log
    private let changed: @Sendable (Catalogue) -> Void
    private var last: [LiveModel] = []
    private var isFailing = false
    private var task: Task<Void, Never>?

    /// - Parameters:
    ///   - pause: above zero.
    ///   - changed: told the new catalogue, on the loop.
    package init(
        _ list: any ModelList,
        every pause: Duration,
        _ loop: EventLoop,
        _ log: Log,
        changed: @escaping @Sendable (Catalogue) -> Void
    ) {
        self.list = list
        pauseNanoseconds = UInt64(pause.nanoseconds)
        self.loop = loop
        self.log = log
        self.changed = changed
    }

    /// On the loop.
    package func start() {
        task = Task(executorPreference: loop) {
            while !Task.isCancelled {
                await self.read()
                await self.loop.sleep(nanoseconds: self.pauseNanoseconds)
            }
        }
    }

    /// On the loop.
    package func stop() { task?.cancel() }

    private func read() async {
        do throws(UpstreamError) {
            let models = try await list.models()
            isFailing = false
            guard models != last else { return }
            last = models
            let catalogue = Catalogue.oneMin.merged(with: models)
            changed(catalogue)
            log.info("models read") { line in
                line.add("listed", models.count)
                line.add("new", catalogue.models.count - Catalogue.oneMin.models.count)
            }
        } catch {
            guard error.kind != .cancelled, !isFailing else { return }
            isFailing = true
            log.warning("models not read") { $0.add("cause", error.cause) }
        }
    }
}
