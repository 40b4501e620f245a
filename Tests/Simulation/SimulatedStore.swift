@testable import Limits

/// A memcached server as its clients see it: versions, expiry in coarse seconds, and faults.
final class SimulatedServer {
    private struct Item {
        var bytes: [UInt8]
        var version: UInt64
        var expirySecond: Int
        var mark: UInt32 = 0
    }

    private let timeline: Timeline
    /// The difference by which the server's clock is ahead of true time.
    private var aheadMicroseconds: Int
    private let plant: Plant?
    private var items: [String: Item] = [:]
    private var lastVersion = UInt64(1) << 40
    /// The number of restarts. A connection does not outlive one.
    private(set) var life = 0
    private var flushes = 0
    /// The number of records that the server has room for. Another one evicts the one that was written the longest ago.
    var capacity = Int.max
    private(set) var evictions = 0
    private(set) var writes = 0
    /// Whether the server reports restarts and flushes.
    var reportsLife: Bool
    var isUp = true
    /// The time before which the server sends no response.
    var hangsUntil = 0
    /// The time until which the server refuses writes, as if it was out of memory.
    var refusesUntil = 0

    init(_ timeline: Timeline, aheadMicroseconds: Int, plant: Plant?) {
        self.timeline = timeline
        self.aheadMicroseconds = aheadMicroseconds
        self.plant = plant
        reportsLife = plant != .lossUnnoticed
    }

    var seconds: Int { (timeline.now + aheadMicroseconds) / 1_000_000 }

    /// Ends the server. It is empty afterwards, and counts versions from the beginning.
    func stop() {
        items = [:]
        lastVersion = 1 << 40
        life += 1
        isUp = false
    }

    func flush() {
        items = [:]
        flushes += 1
    }

    /// The server's state as it reports it itself.
    fileprivate var state: StoreState {
        let losses = plant == .evictionIsLoss ? flushes + evictions : flushes
        return StoreState(seconds: seconds, life: reportsLife ? [life, losses] : [])
    }

    /// Puts the server's machine to sleep: it sends no response, and its clock stays behind.
    func sleep(_ microseconds: Int) {
        hangsUntil = max(hangsUntil, timeline.now + microseconds)
        aheadMicroseconds -= microseconds
    }

    /// Sets the server's clock.
    func set(by microseconds: Int) { aheadMicroseconds += microseconds }

    func evict(_ key: String) { items[key] = nil }

    /// Sets a record's counts to 0, as compare-and-swap does it in the end.
    func reset(_ key: String, of limit: Limit, at wall: Int) {
        guard let item = find(key), case .counts(var record)? = try? StoredRecord(item.bytes, of: limit) else { return }
        if plant == .resetNewBirth {
            record = Record(limit.layout, newest: record.newest, birth: record.birth &+ 1)
        } else {
            record.empty(at: wall)
        }
        let bytes = StoredRecord.counts(record).encoded()
        items[key] = Item(bytes: bytes, version: nextVersion(), expirySecond: item.expirySecond)
    }

    func value(_ key: String) -> [UInt8]? { find(key)?.bytes }

    func version(_ key: String) -> UInt64? { find(key)?.version }

    private func find(_ key: String) -> Item? {
        guard let item = items[key], item.expirySecond > seconds else { return nil }
        return item
    }

    fileprivate func read(_ key: String, _ connection: UInt64) -> StoredValue? {
        find(key).map { item in
            let version = StoredValue.Version(number: item.version, connection: connection)
            return StoredValue(bytes: item.bytes, version: version, mark: plant == .marksDropped ? 0 : item.mark)
        }
    }

    fileprivate func write(_ write: StoreWrite, _ connection: UInt64) -> WriteResult {
        let item = find(write.key)
        if item?.version == write.version?.number || plant == .plainWrite && (item != nil || write.version == nil) {
            return put(write, connection)
        }
        if plant == .marksOfLosers { items[write.key]?.mark = write.mark }
        return .lost
    }

    private func put(_ write: StoreWrite, _ connection: UInt64) -> WriteResult {
        guard timeline.now >= refusesUntil else { return .refused(reason: "out of memory") }
        let version = nextVersion()
        var bytes = plant == .noJoin ? withoutBirth(write.value) : write.value
        if plant == .originForgotten { bytes = withoutOrigin(bytes) }
        writes += 1
        items[write.key] = Item(
            bytes: bytes,
            version: version,
            expirySecond: seconds + write.expirySeconds,
            mark: write.mark
        )
        if items.count > capacity, let oldest = items.min(by: { $0.value.version < $1.value.version }) {
            items[oldest.key] = nil
            evictions += 1
        }
        return .written(StoredValue.Version(number: version, connection: connection))
    }

    private func nextVersion() -> UInt64 {
        lastVersion = plant == .versionsFall ? lastVersion - 1 : lastVersion + 1
        return lastVersion
    }

    /// Returns a restored record's bytes without those of its origin.
    private func withoutOrigin(_ value: [UInt8]) -> [UInt8] {
        guard value.first == 3 else { return value }
        var reader = Varint.Reader(rest: value.dropFirst(9))
        let length = reader.number() ?? 0
        return [UInt8](reader.rest.dropFirst(length))
    }

    /// Returns a record's bytes with a birth number that all records have.
    private func withoutBirth(_ value: [UInt8]) -> [UInt8] {
        var value = value
        guard value.first == 1, let last = value.dropFirst().firstIndex(where: { $0 < 128 }), last + 8 < value.count
        else { return value }
        for index in last + 1...last + 8 { value[index] = 7 }
        return value
    }
}

/// A connection to a server. It executes calls at once, and the network decides how long they travel.
final class SimulatedConnection: CounterConnection {
    let server: SimulatedServer
    private let id: UInt64
    private let life: Int
    private let plant: Plant?
    /// The keys that were read or written since the list was emptied, and whether they were written.
    var touched: [(key: String, isWritten: Bool)] = []

    init(_ server: SimulatedServer, id: UInt64, plant: Plant?) {
        self.server = server
        self.id = id
        self.plant = plant
        life = server.life
    }

    private func check() throws(StoreFailure) {
        guard server.isUp, server.life == life else { throw StoreFailure(reason: "connection reset") }
    }

    func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?] {
        try check()
        touched += keys.map { ($0, false) }
        return keys.map { server.read($0, id) }
    }

    func write(_ write: StoreWrite) throws(StoreFailure) -> WriteResult {
        try check()
        if let version = write.version, version.connection != id, plant != .versionKept { return .lost }
        let result = server.write(write, id)
        if result.isWritten { touched.append((write.key, true)) }
        return result
    }

    func status() throws(StoreFailure) -> StoreState {
        try check()
        return server.state
    }
}

/// The list of servers that a ledger gets from its store.
struct SimulatedRing: CounterStore {
    let servers: [String]

    /// Returns the index of the server, which is the same for all instances.
    func server(of key: String) -> Int {
        var hash: UInt32 = 2_166_136_261
        for byte in key.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash % UInt32(servers.count))
    }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        throw StoreFailure(reason: "connections are made by the network")
    }
}
