/// Connections to vendors on one loop: those that wait for the next call, and the multis that made them.
///
/// Only its loop's thread touches it.
final class ConnectionPool {
    unowned let client: CurlClient
    private let loop: EventLoop
    /// The most bytes of one read.
    let readBytes: Int
    /// The latest last.
    private var idle: [UpstreamConnection] = []
    let multis: CurlMultis

    /// libcurl looks through all connections of a multi for the one that is read or written.
    private static let connectionsPerMulti = 128
    /// After a rush, others are closed.
    private static let idleConnections = 128
    /// Vendors and what is between close connections that nobody uses, some without a word.
    private static let idleNanoseconds: UInt64 = 60_000_000_000

    init(_ client: CurlClient, readBytes: Int) {
        self.client = client
        loop = client.loop
        self.readBytes = readBytes
        multis = CurlMultis(client, most: Self.connectionsPerMulti)
    }

    /// A connection that was used before, the latest; nil: there is none.
    func take(_ origin: String) -> UpstreamConnection? {
        guard let place = idle.lastIndex(where: { $0.origin == origin }) else { return nil }
        return idle.remove(at: place)
    }

    /// Nobody uses it now.
    func give(_ connection: UpstreamConnection) {
        connection.user = nil
        guard idle.count < Self.idleConnections else { return connection.close() }
        idle.append(connection)
        connection.arm(at: loop.now + Self.idleNanoseconds)
    }

    /// It has ended while nobody used it.
    func drop(_ connection: UpstreamConnection) {
        idle.removeAll { $0 === connection }
        connection.close()
    }
}
