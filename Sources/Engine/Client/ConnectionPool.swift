/// Connections to vendors on one loop: those that wait for the next call, and the multis that made them.
///
/// Only its loop's thread touches it.
final class ConnectionPool {
    unowned let client: CurlClient
    /// The most bytes of one read.
    let readBytes: Int
    private var idle: [String: [UpstreamConnection]] = [:]
    private var idleCount = 0
    let multis: CurlMultis

    /// libcurl looks through all connections of a multi for the one that is read or written.
    private static let connectionsPerMulti = 128
    /// Those without a connection are forgotten where there are more.
    private static let origins = 64
    /// After a rush, others are closed.
    private static let idleConnections = 128
    /// Vendors and what is between close connections that nobody uses, some without a word.
    private static let idleNanoseconds: UInt64 = 60_000_000_000

    init(_ client: CurlClient, readBytes: Int) {
        self.client = client
        self.readBytes = readBytes
        multis = CurlMultis(client, most: Self.connectionsPerMulti)
    }

    /// A connection that was used before, the latest; nil: there is none.
    func take(_ origin: String) -> UpstreamConnection? {
        guard let connection = idle[origin]?.popLast() else { return nil }
        idleCount -= 1
        return connection
    }

    /// Nobody uses it now.
    func give(_ connection: UpstreamConnection) {
        connection.user = nil
        guard idleCount < Self.idleConnections else { return connection.close() }
        idleCount += 1
        if idle.count >= Self.origins { idle = idle.filter { !$0.value.isEmpty } }
        idle[connection.origin, default: []].append(connection)
        connection.arm(at: client.loop.nowNanoseconds + Self.idleNanoseconds)
    }

    /// It has ended while nobody used it.
    func drop(_ connection: UpstreamConnection) {
        if let place = idle[connection.origin]?.firstIndex(where: { $0 === connection }) {
            idle[connection.origin]?.remove(at: place)
            idleCount -= 1
        }
        connection.close()
    }
}
