/// Creates the index of failed requests in the background, also in a database with millions of rows.
///
/// The server creates it on a connection of its own, while relays write, and also finishes if this relay ends. Only one
/// of the relays that share the database does this at a time.
struct PostgresIndex {
    private static let name = "relay_usage_failed"
    /// The key of the advisory lock under which the index is created: an arbitrary number.
    private static let lock = 7_031_912_844_553
    private static let create = """
        CREATE INDEX CONCURRENTLY \(name) ON \(UsageSchema.postgresTable) (status, time) WHERE NOT success AND kind = 0
        """

    /// The connection on which a statement runs; nil if there is none.
    private var connection: PostgresConnection?
    /// Whether there is nothing more to do.
    private var isComplete = false

    /// Takes the next step, without waiting for the server's work.
    ///
    /// - Parameters:
    ///   - store: the connection of the store.
    ///   - open: opens another one.
    mutating func advance(
        _ store: PostgresConnection,
        open: () throws(PostgresFailure) -> PostgresConnection
    ) throws(PostgresFailure) {
        if isComplete { return }
        if let running = connection {
            do throws(PostgresFailure) {
                guard try running.hasFinished() else { return }
                connection = nil
            } catch {
                connection = nil
                throw error
            }
        }
        let found = try store.run("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('\(Self.name)')")
        if found.first?.first == "t" {
            isComplete = true
            return
        }
        let made = try open()
        // Relays that wait for the lock would block the one that creates the index.
        guard try made.run("SELECT pg_try_advisory_lock(\(Self.lock))").first?.first == "t" else { return }
        _ = try made.run("SET statement_timeout = 0")
        // A server that ended meanwhile has left an index that is not valid.
        try made.start(found.isEmpty ? Self.create : "DROP INDEX CONCURRENTLY IF EXISTS \(Self.name)")
        connection = made
    }

    /// Stops making the index. If its statement already runs, the server still finishes it.
    mutating func stop() { (connection, isComplete) = (nil, true) }
}
