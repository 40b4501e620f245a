import CSQLite
import Engine
import Glibc

/// Reads the file of an SQLite store, also while a relay writes there.
enum SQLiteReading {
    private static let busyMilliseconds: Int32 = 5_000

    /// Nil: there is no file.
    static func summary(folder: String, _ question: UsageQuestion) throws(UsageFailure) -> UsageSummary? {
        let path = "\(folder)/\(SQLiteStore.fileName)"
        guard access(path, F_OK) == 0 else {
            if errno == ENOENT { return nil }
            throw UsageFailure.system(path)
        }
        do throws(SQLiteFailure) {
            do throws(SQLiteFailure) {
                return try summary(try SQLiteDatabase.open(path, .read, busyMilliseconds: busyMilliseconds), question)
            } catch {
                // Without a journal nobody writes, and where nothing can be made there cannot be one.
                guard error.code == SQLITE_CANTOPEN, access(path + "-wal", F_OK) != 0 else { throw error }
                let database = try SQLiteDatabase.open(path, .readAlone, busyMilliseconds: busyMilliseconds)
                return try summary(database, question)
            }
        } catch {
            throw UsageFailure("\(path): \(error.text)")
        }
    }

    private static func summary(
        _ database: SQLiteDatabase,
        _ question: UsageQuestion
    ) throws(SQLiteFailure) -> UsageSummary? {
        let (version, known) = (try database.number("PRAGMA user_version"), UsageSchema.sqliteSteps.count)
        if version == 0 { return nil }
        guard version <= known else {
            throw SQLiteFailure(code: SQLITE_ERROR, text: SQLiteStore.newer(version, than: known))
        }
        guard version == known else {
            let text = "an older relay wrote it (schema \(version)); start this one once, which brings it up to date"
            throw SQLiteFailure(code: SQLITE_ERROR, text: text)
        }
        // Both answers are of one moment.
        try database.execute("BEGIN")
        defer { database.rollBack() }
        let source = UsageSchema.sqliteRows(since: question.startMilliseconds, ofCalls: question.isOfCalls)
        let rows = try rows(question.rows(from: source), database)
        let total = try self.rows(question.total(from: source), database)
        return UsageSummary(question, rows: rows, total: total.first ?? [])
    }

    private static func rows(_ sql: String, _ database: SQLiteDatabase) throws(SQLiteFailure) -> [[String?]] {
        let statement = try database.prepare(sql)
        var rows: [[String?]] = []
        while try statement.step() { rows.append((0..<7).map { statement.text($0) }) }
        return rows
    }
}

/// Reads the tables of a PostgreSQL store.
enum PostgresReading {
    private static let connectSeconds = 10
    private static let timeoutMilliseconds = 120_000

    /// Nil: there are no tables.
    static func summary(url: String, _ question: UsageQuestion) throws(UsageFailure) -> UsageSummary? {
        let address = try PostgresStore.address(url)
        do throws(PostgresFailure) {
            let connection = try PostgresConnection.open(
                address,
                connectSeconds: connectSeconds,
                timeoutMilliseconds: timeoutMilliseconds
            )
            let found = try connection.run("SELECT to_regclass('\(UsageSchema.postgresTable)')").first?.first ?? nil
            if found == nil { return nil }
            // Both answers are of one moment.
            _ = try connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            let source = UsageSchema.postgresRows(since: question.startMilliseconds, ofCalls: question.isOfCalls)
            let rows = try connection.run(question.rows(from: source))
            let total = try connection.run(question.total(from: source))
            return UsageSummary(question, rows: rows, total: total.first ?? [])
        } catch {
            throw UsageFailure("USAGE_DATABASE_URL: \(error.text)")
        }
    }
}
