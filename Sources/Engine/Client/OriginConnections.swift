/// The connections from one loop to one origin (scheme, host and port), either for streams or for whole responses.
///
/// Use it only on its loop's thread.
final class OriginConnections {
    let key: ConnectionPool.Key
    let multis: CurlMultis
    unowned let pool: ConnectionPool
    /// The number of open connections, both in use and idle.
    private(set) var openCount = 0
    private var idle = IdleConnections()
    /// The memory of one idle connection to this origin, in bytes.
    private let idleBytes: Int

    /// The average memory of one idle connection in bytes, with TLS and without.
    private static let idleBytes = (tls: 57_344, plain: 8_192)

    init(_ key: ConnectionPool.Key, hasTLS: Bool, multis: CurlMultis, _ pool: ConnectionPool) {
        self.key = key
        self.multis = multis
        self.pool = pool
        idleBytes = hasTLS ? Self.idleBytes.tls : Self.idleBytes.plain
    }

    /// The largest number of bytes that one read accepts.
    var readBytes: Int { key.isStreamed ? 4_096 : 65_536 }

    /// The time at which the oldest idle connection became idle; nil if no connection is idle.
    var oldestSince: LoopTime? { idle.oldest?.idleSince }

    /// Removes and returns the connection that became idle last; nil if no connection is idle.
    ///
    /// Closes connections that are no longer quiet, whose events the loop has not handled yet.
    func removeIdle() -> UpstreamConnection? {
        while let latest = idle.removeLatest() {
            pool.isUsed(bytes: idleBytes)
            if latest.isQuiet { return latest }
            latest.close()
        }
        return nil
    }

    /// Keeps the connection of a finished call for the next call, or closes it.
    func give(_ connection: UpstreamConnection) {
        connection.user = nil
        guard pool.mayKeep(bytes: idleBytes) else { return connection.close() }
        connection.idleSince = pool.client.loop.now
        idle.append(connection)
    }

    /// Closes an idle connection, for example because the vendor has closed its side.
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

/// The idle connections, in the order in which they became idle.
struct IdleConnections {
    /// The idle connections, oldest first; nil where a connection was removed.
    private var connections: [UpstreamConnection?] = []
    /// The number of nil entries at the beginning of `connections`.
    private var emptyCount = 0
    /// The number of entries removed from the front of `connections` so far.
    private var goneCount = 0

    mutating func append(_ connection: UpstreamConnection) {
        connection.idleIndex = goneCount + connections.count
        connections.append(connection)
    }

    mutating func removeLatest() -> UpstreamConnection? {
        while let latest = connections.popLast() {
            emptyCount = min(emptyCount, connections.count)
            if let latest { return latest }
        }
        return nil
    }

    mutating func remove(_ connection: UpstreamConnection) {
        connections[connection.idleIndex - goneCount] = nil
        while emptyCount < connections.count, connections[emptyCount] == nil { emptyCount += 1 }
        guard emptyCount >= 64, emptyCount * 2 >= connections.count else { return }
        connections.removeFirst(emptyCount)
        goneCount += emptyCount
        emptyCount = 0
    }

    /// The connection that has been idle longest; nil if no connection is idle.
    var oldest: UpstreamConnection? { emptyCount < connections.count ? connections[emptyCount] : nil }
}
