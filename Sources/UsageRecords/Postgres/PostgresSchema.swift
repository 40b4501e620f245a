import Shared

/// Creates and upgrades the tables of a PostgreSQL database.
struct PostgresSchema {
    /// The key of the PostgreSQL advisory lock for changing the tables: an arbitrary number.
    private static let lock = 7_031_912_844_551
    private static let versionTable = "relay_usage_version"

    private let connection: PostgresConnection
    private let steps: [String]

    /// - Parameter steps: the SQL statements of each version; the first step starts with an empty database.
    init(_ connection: PostgresConnection, steps: [String]) {
        self.connection = connection
        self.steps = steps
    }

    /// Runs all upgrade steps that the database lacks, in one transaction. Only one relay at a time does this.
    func upgrade() throws(PostgresFailure) {
        guard try version() < steps.count else { return }
        _ = try connection.run("BEGIN; SELECT pg_advisory_xact_lock(\(Self.lock))")
        // Another relay may have applied them first.
        for (index, step) in steps.enumerated().dropFirst(try version()) {
            _ = try connection.run("CREATE TABLE IF NOT EXISTS \(Self.versionTable) (version integer NOT NULL)")
            _ = try connection.run(step)
            _ = try connection.run("INSERT INTO \(Self.versionTable) VALUES (\(index + 1))")
        }
        _ = try connection.run("COMMIT")
    }

    /// Returns the version of the tables in the database; 0 if there are no tables.
    private func version() throws(PostgresFailure) -> Int {
        // PostgreSQL remembers within a transaction that `to_regclass` found no table, so the catalog is read.
        let look = "SELECT 1 FROM pg_class WHERE relname = '\(Self.versionTable)' AND pg_table_is_visible(oid)"
        guard try !connection.run(look).isEmpty else { return 0 }
        let version = try connection.number("SELECT max(version) FROM \(Self.versionTable)") ?? 0
        guard version <= steps.count else {
            let cause =
                "a newer relay created the tables (schema \(version); this relay supports \(steps.count)); use the newer relay"
            throw PostgresFailure(text: cause)
        }
        return version
    }
}
