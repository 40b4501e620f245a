package import Engine
package import Limits

/// The list of relay instances that share memcached. All event loops share the board.
package final class InstanceBoard: Sendable {
    /// A relay instance as the admin pages list it.
    package struct Listed: Sendable {
        package let entry: InstanceEntry
        /// Whether the instance has written no new entry for 30 seconds.
        package let isSilent: Bool
        /// Whether the instance is this process.
        package let isOwn: Bool
        /// The age of the entry's figures as this instance knows them, in seconds.
        package let ageSeconds: Int
    }

    private struct SeenInstance: Sendable {
        var entry: InstanceEntry
        /// The loop time at which this process last received a changed entry of the instance.
        var changedAt: LoopTime
    }

    private struct State {
        var orders: [InstanceOrder] = []
        /// The orders from other instances' entries that `newOrders` has already returned.
        var done: Set<InstanceOrder> = []
        var others: [String: SeenInstance] = [:]
        var own: InstanceEntry?
        /// The number of looks in a row at which each difference of settings was there.
        var differences: [Difference: Int] = [:]
    }

    /// Settings of another instance that differ from this one's, as the digests of both.
    private struct Difference: Hashable {
        let id: String
        let settings: String
        let own: String
    }

    private let state = Lock(State())
    private let name: String
    private let id: String
    private let startedAt: Int

    package static let pauseNanoseconds: UInt64 = 10_000_000_000
    private static let silentNanoseconds: UInt64 = 30_000_000_000
    /// The lifetime of an instance's entry in the store after its last write, in seconds.
    private static let keptSeconds = 3_600
    private static let maxInstances = 200
    /// The time for which an operator's order stays in this instance's entry, in milliseconds.
    private static let orderMilliseconds = 86_400_000

    /// The beginning of the board's keys in the store, which other relays at the same memcached do not use.
    private let prefix: String

    package init(name: String, in scope: StoreScope = StoreScope(nil, [])) {
        self.name = name
        prefix = "relay:1:admin:\(scope.name):"
        id = RandomBytes().id("")
        startedAt = Timestamp.now()
    }

    private func key(_ id: String) -> String { "\(prefix)instance:\(id)" }
    private var indexKey: String { "\(prefix)instances" }

    /// Adds an operator's order, which all other instances then carry out.
    package func add(_ order: InstanceOrder) {
        state.withLock { state in
            state.orders.append(order)
            if state.orders.count > InstanceEntry.maxOrders { state.orders.removeFirst() }
        }
    }

    /// Creates this instance's entry for memcached, with its present figures and the operator's orders.
    package func entry(_ figures: InstanceFigures, settings: String, hasLeft: Bool = false) -> InstanceEntry {
        let now = Timestamp.now()
        return state.withLock { state in
            state.orders.removeAll { $0.at < now - Self.orderMilliseconds }
            let entry = InstanceEntry(
                id: id,
                name: name,
                version: Product.version,
                startedAt: startedAt,
                seenAt: now,
                figures: figures,
                settings: settings,
                hasLeft: hasLeft,
                orders: state.orders
            )
            state.own = entry
            return entry
        }
    }

    /// Returns all instances that share memcached, including this one, sorted by name.
    package func all(at now: LoopTime) -> [Listed] {
        let (own, others) = state.withLock { ($0.own, $0.others) }
        let listed = others.values.filter { !$0.entry.hasLeft }.map { seen in
            Listed(
                entry: seen.entry,
                isSilent: now.nanoseconds(since: seen.changedAt) > Self.silentNanoseconds,
                isOwn: false,
                ageSeconds: now.milliseconds(since: seen.changedAt) / 1_000
            )
        }
        // An instance that was silent and has restarted is listed only once.
        let starts = Dictionary(grouping: listed.map(\.entry) + (own.map { [$0] } ?? []), by: \.name)
            .mapValues { $0.map(\.startedAt).max() ?? 0 }
        let current = listed.filter { !$0.isSilent || $0.entry.startedAt == starts[$0.entry.name] }
        let ownListed = own.map { own in
            let age = max(0, Timestamp.now() - own.seenAt) / 1_000
            return Listed(entry: own, isSilent: false, isOwn: true, ageSeconds: age)
        }
        return (current + (ownListed.map { [$0] } ?? []))
            .sorted { ($0.entry.name, $0.entry.startedAt) < ($1.entry.name, $1.entry.startedAt) }
    }

    /// Returns the other instances of this version whose settings have differed from this one's in two looks in a row, as
    /// not during an update of all. Returns the same difference only once.
    package func instancesWithOtherSettings(at now: LoopTime) -> [InstanceEntry] {
        let others = all(at: now).filter { !$0.isOwn && !$0.isSilent }.map(\.entry)
        return state.withLock { state in
            guard let own = state.own else { return [] }
            let before = state.differences
            state.differences = [:]
            return others.filter { other in
                guard other.settings != own.settings, other.version == own.version else { return false }
                let difference = Difference(id: other.id, settings: other.settings, own: own.settings)
                let times = (before[difference] ?? 0) + 1
                state.differences[difference] = times
                return times == 2
            }
        }
    }

    // MARK: The store

    /// Writes this instance's entry and reads the entries of the other instances.
    /// - Returns: the orders, such as to reset a limit, that the operator gave at other instances and that are new to
    ///   this instance.
    package func exchange(
        _ entry: InstanceEntry,
        in shared: SharedState,
        on loop: EventLoop,
        _ parser: JSONParser
    ) async throws(StoreFailure) -> [InstanceOrder] {
        shared.put(key(id), expirySeconds: Self.keptSeconds) { entry.encoded() }
        let ids = try await ids(in: shared, on: loop)
        removeOthers(except: ids)
        for other in ids where other != id {
            let bytes = try await shared.read(key(other), on: loop)
            see(bytes.flatMap { InstanceEntry($0, parser) }, other, at: loop.now)
        }
        return newOrders()
    }

    /// Lets all instances carry out the orders of a command.
    /// - Parameter update: changes a value in the store.
    package func announce(
        _ orders: [InstanceOrder],
        _ update: (_ key: String, _ expirySeconds: Int, _ change: ([UInt8]?) -> [UInt8]?) throws(StoreFailure) -> Void
    ) throws(StoreFailure) {
        for order in orders { add(order) }
        let value = entry(InstanceFigures(), settings: "", hasLeft: true).encoded()
        try update(key(id), Self.keptSeconds) { _ in value }
        try update(indexKey, Self.keptSeconds) { bytes in
            var times = Self.index(bytes)
            return Self.add(id, to: &times) ? Self.encoded(times) : nil
        }
    }

    /// Writes this instance's last entry, so that other instances no longer list it. Call it before the process ends.
    package func leave(_ entry: InstanceEntry, _ shared: SharedState) {
        shared.put(key(id), expirySeconds: Self.keptSeconds) { entry.encoded() }
    }

    /// Returns the ids of all instances in memcached's list of instances. Adds this instance to the list, or renews its
    /// time there after 60 seconds.
    private func ids(in shared: SharedState, on loop: EventLoop) async throws(StoreFailure) -> [String] {
        try await shared.update(indexKey, expirySeconds: Self.keptSeconds, on: loop) { [id] bytes in
            var times = Self.index(bytes)
            let isAdded = Self.add(id, to: &times)
            return SharedState.Change(isAdded ? Self.encoded(times) : nil, Array(times.keys))
        }
    }

    /// Adds an id to the times of the index, and drops old ones. Returns false if its time is recent.
    private static func add(_ id: String, to times: inout [String: Int]) -> Bool {
        let now = Timestamp.now() / 1_000
        if let time = times[id], now - time < 60 { return false }
        times = times.filter { abs(now - $0.value) < keptSeconds }
        times[id] = now
        if times.count > maxInstances {
            let oldest = times.filter { $0.key != id }.min { $0.value < $1.value }
            if let oldest { times[oldest.key] = nil }
        }
        return true
    }

    private static func encoded(_ times: [String: Int]) -> [UInt8] {
        Array(times.map { "\($0.key) \($0.value)\n" }.joined().utf8)
    }

    private static func index(_ bytes: [UInt8]?) -> [String: Int] {
        var times: [String: Int] = [:]
        for line in (bytes ?? []).split(separator: 10).prefix(maxInstances) {
            let parts = line.split(separator: 32)
            let isName =
                parts.first.map { $0.count == RandomBytes.idLength && $0.allSatisfy(\.isLetterOrDigit) } ?? false
            guard parts.count == 2, isName, let second = UInt32(String(decoding: parts[1], as: UTF8.self)) else {
                continue
            }
            times[String(decoding: parts[0], as: UTF8.self)] = Int(second)
        }
        return times
    }

    func removeOthers(except ids: [String]) {
        state.withLock { state in state.others = state.others.filter { ids.contains($0.key) } }
    }

    func see(_ entry: InstanceEntry?, _ id: String, at now: LoopTime) {
        state.withLock { state in
            guard let entry, entry.id == id else {
                state.others[id] = nil
                return
            }
            if state.others[id]?.entry == entry { return }
            // The first time an entry is seen, only its own clock can say how old it is.
            let age = state.others[id] == nil ? max(0, Timestamp.now() - entry.seenAt) : 0
            let isOld = age > Int(Self.silentNanoseconds / 1_000_000)
            state.others[id] = SeenInstance(entry: entry, changedAt: isOld ? .distantPast : now)
        }
    }

    /// Returns the orders that the operator gave at other instances, also at those that have left, since this process started. Each order is returned
    /// only once.
    func newOrders() -> [InstanceOrder] {
        state.withLock { state in
            let all = state.others.values.flatMap(\.entry.orders).filter { $0.at > startedAt - 5_000 }
            let new = all.filter { !state.done.contains($0) }
            state.done = state.done.intersection(all).union(new)
            return new
        }
    }
}
