/// The connections of one loop to one origin, either for whole responses or for streams.
///
/// Use it only on its loop's thread.
final class OriginConnections {
    let key: ConnectionPool.Key
    let multis: CurlMultis
    unowned let pool: ConnectionPool
    /// The number of connections, in use and idle.
    private(set) var openCount = 0
    private var idle = IdleConnections()
    /// The memory that an idle connection holds.
    private let idleBytes: Int

    /// The memory of an idle connection, measured over a thousand connections. With TLS it includes libcurl's handle
    /// and connection, and OpenSSL's.
    private static let idleBytes = (tls: 57_344, plain: 8_192)

    init(_ key: ConnectionPool.Key, hasTLS: Bool, multis: CurlMultis, _ pool: ConnectionPool) {
        self.key = key
        self.multis = multis
        self.pool = pool
        idleBytes = hasTLS ? Self.idleBytes.tls : Self.idleBytes.plain
    }

    /// The most bytes of one read.
    var readBytes: Int { key.isStreamed ? 4_096 : 65_536 }

    /// The time since which the oldest idle connection has been idle; nil if none is idle.
    var oldestSince: LoopTime? { idle.oldest?.idleSince }

    /// Takes the connection that became idle last; nil if none is idle.
    func removeIdle() -> UpstreamConnection? {
        guard let latest = idle.removeLatest() else { return nil }
        pool.isUsed(bytes: idleBytes)
        return latest
    }

    /// Keeps a connection whose call has ended, or closes it if there is no room for it.
    func give(_ connection: UpstreamConnection) {
        connection.user = nil
        guard pool.mayKeep(bytes: idleBytes) else { return connection.close() }
        connection.idleSince = pool.client.loop.now
        idle.append(connection)
    }

    /// Closes an idle connection, for example because its vendor has ended it.
    func drop(_ connection: UpstreamConnection) {
        idle.remove(connection)
        pool.isUsed(bytes: idleBytes)
        connection.close()
    }

    func endOldest() {
        if let oldest = idle.oldest { drop(oldest) }
    }

    func willOpen() {
        pool.willOpen(self)
        openCount += 1
    }

    func hasClosed() {
        openCount -= 1
        pool.hasClosed(self)
    }
}

/// Idle connections in the order in which they became idle. Each operation takes constant time on average.
struct IdleConnections {
    /// The connections; nil where one was removed.
    private var positions: [UpstreamConnection?] = []
    /// The number of empty entries at the beginning.
    private var emptyCount = 0
    /// The number of entries that were removed from the front of `positions`.
    private var goneCount = 0

    mutating func append(_ connection: UpstreamConnection) {
        connection.idleIndex = goneCount + positions.count
        positions.append(connection)
    }

    mutating func removeLatest() -> UpstreamConnection? {
        while let latest = positions.popLast() {
            emptyCount = min(emptyCount, positions.count)
            if let latest { return latest }
        }
        return nil
    }

    mutating func remove(_ connection: UpstreamConnection) {
        positions[connection.idleIndex - goneCount] = nil
        while emptyCount < positions.count, positions[emptyCount] == nil { emptyCount += 1 }
        guard emptyCount >= 64, emptyCount * 2 >= positions.count else { return }
        positions.removeFirst(emptyCount)
        goneCount += emptyCount
        emptyCount = 0
    }

    /// The connection that has been idle longest; nil if there is none.
    var oldest: UpstreamConnection? { emptyCount < positions.count ? positions[emptyCount] : nil }
}
