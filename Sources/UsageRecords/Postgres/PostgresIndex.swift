import Shared

/// Creates a database index of usage records in the background, through a separate connection.
///
/// Only one relay at a time creates the index in a shared database.
struct PostgresIndex {
    /// The key of the PostgreSQL advisory lock for creating an index: an arbitrary number.
    private static let lock = 7_031_912_844_553

    static var failed: PostgresIndex {
        PostgresIndex("relay_usage_failed", "(status, time) WHERE NOT success AND kind = 0")
    }
    static var session: PostgresIndex {
        PostgresIndex("relay_usage_session", "(session, time) WHERE session IS NOT NULL")
    }

    private let name: String
    private let create: String
    /// The connection that creates or drops the index; nil if no such statement is running.
    private var connection: PostgresConnection?
    /// Whether no work is left, because the index is complete or `stop` was called.
    private(set) var isComplete = false

    private init(_ name: String, _ definition: String) {
        self.name = name
        create = "CREATE INDEX CONCURRENTLY \(name) ON \(UsageSchema.postgresTable) \(definition)"
    }

    /// Does the next step to create the index, without waiting until the index is created or dropped.
    /// - Parameters:
    ///   - store: the connection with which the usage store reads and writes.
    ///   - open: opens a separate connection, which creates the index.
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
        let found = try store.run("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('\(name)')")
        if found.first?.first == "t" {
            isComplete = true
            return
        }
        let made = try open()
        // Relays that wait for the lock would block the one that creates the index.
        guard try made.value("SELECT pg_try_advisory_lock(\(Self.lock))") == "t" else { return }
        _ = try made.run("SET statement_timeout = 0")
        // A server that ended meanwhile has left an index that is not valid.
        try made.start(found.isEmpty ? create : "DROP INDEX CONCURRENTLY IF EXISTS \(name)")
        connection = made
    }

    /// Ends all further steps to create the index. The PostgreSQL server still finishes an index in progress.
    mutating func stop() { (connection, isComplete) = (nil, true) }
}
