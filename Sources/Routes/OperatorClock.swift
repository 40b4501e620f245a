package import Engine
import Limits
import Shared
import Upstream

/// A task that exchanges data with the relay's other instances every ten seconds.
///
/// It shares this instance's figures, such as requests per minute, the operator's logouts, and orders such as to reset
/// a limit. It also saves logouts in a file, and warns each day of keys that end soon.
///
/// `@unchecked`: used on one event loop only, except `task`, which has a lock.
package final class OperatorClock: @unchecked Sendable {
    private let process: SharedServices
    private let router: Router
    private let own: LoopServices
    private let paces: [LoopPace]
    private let task = Lock<Task<Void, Never>?>(nil)
    /// The last counts of the requests that ended since the process started. Keeps at most seven, each with its time.
    private var counts: [(at: LoopTime, requests: Int)] = []

    /// The day since 1970 on which the log last named the keys that end soon. The settings' warnings do so at the start.
    private var warnedDay = today

    private static let keptCounts = 7
    private static var today: Int { Timestamp.now() / 86_400_000 }

    package init(_ process: SharedServices, _ own: LoopServices, router: Router, paces: [LoopPace]) {
        self.process = process
        self.own = own
        self.router = router
        self.paces = paces
    }

    package func start() {
        let next = Task(executorPreference: own.loop) { await self.run() }
        task.withLock { $0 = next }
    }

    /// Stops the task, and removes this instance from the lists of instances that other instances keep. Can be called
    /// on any thread.
    package func stop() {
        task.withLock { $0?.cancel() }
        let admin = process.process.admin
        guard let shared = admin.shared else { return }
        admin.board.leave(admin.board.entry(InstanceFigures(), settings: "", hasLeft: true), shared)
    }

    private func run() async {
        while !Task.isCancelled {
            await tick()
            warnOfKeys()
            await own.loop.sleep(nanoseconds: InstanceBoard.pauseNanoseconds)
        }
    }

    /// Writes once a day which keys end soon.
    private func warnOfKeys() {
        guard Self.today != warnedDay else { return }
        warnedDay = Self.today
        for key in router.keys {
            guard let warning = key.endWarning(at: Timestamp.now()) else { continue }
            process.log.warning("a key expires") {
                $0.add("caller", key.name)
                $0.add("problem", warning)
            }
        }
    }

    private func tick() async {
        let admin = process.process.admin
        let entry = admin.board.entry(figures(), settings: admin.listing.withLock { $0.commonDigest })
        if router.hasOperator { await admin.sessions.keep(in: admin.shared, on: own.loop, admin.worker) }
        guard let shared = admin.shared, !Task.isCancelled else { return }
        do throws(StoreFailure) {
            let orders = try await admin.board.exchange(entry, in: shared, on: own.loop, own.parser)
            carryOut(orders)
            warn(of: admin.board.instancesWithOtherSettings(at: own.loop.now))
        } catch {
            // The list shows how old the others' entries are.
        }
    }

    private func warn(of others: [InstanceEntry]) {
        guard !others.isEmpty else { return }
        process.log.warning("relays at the same memcached have other settings") { line in
            line.add("instances", others.map(\.name).sorted().joined(separator: ", "))
            line.add("remedy", "compare `relay config` of both; limits that differ are counted apart")
        }
    }

    private func carryOut(_ orders: [InstanceOrder]) {
        process.limiter.forget(Set(orders.lazy.filter { $0.kind == .reset }.map(\.target)))
        process.limiter.compare(Set(orders.lazy.filter { $0.kind == .giveBack }.map(\.target)))
        for order in orders where order.kind == .resume { router.resume(order.target, key: order.key) }
        for order in orders where order.kind == .forget { router.forgetQuirk(order.target) }
    }

    private func figures() -> InstanceFigures {
        let now = own.loop.now
        counts.append((now, process.metrics.endedRequests))
        if counts.count > Self.keptCounts { counts.removeFirst() }
        var figures = InstanceFigures()
        let (first, last) = (counts[0], counts[counts.count - 1])
        let seconds = Double(last.at.nanoseconds(since: first.at)) / 1e9
        if seconds > 0 { figures.requestsPerMinute = Int(Double(last.requests - first.requests) * 60 / seconds + 0.5) }
        figures.running = process.metrics.runningRequests
        figures.memoryMegabytes = (ProcessFigures.residentBytes ?? 0) >> 20
        let longest = paces.map { $0.longestNanoseconds(at: now) }.max() ?? 0
        figures.longestTurnMilliseconds = Int(longest / 1_000_000)
        figures.store = process.limiter.isStoreAvailable.map { $0 ? "ok" : "unavailable" } ?? "none"
        return figures
    }
}
