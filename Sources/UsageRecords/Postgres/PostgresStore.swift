import Engine
import Glibc
package import Shared

/// A store of usage records in a PostgreSQL database, which several relays may share.
///
/// `@unchecked`: used by the thread of its queue only.
package final class PostgresStore: EditableUsageStore, @unchecked Sendable {
    /// The largest number of requests, with their upstream calls, in one transaction.
    private static let maxRequests = 500
    /// The largest number of expired rows that are deleted in one step.
    static let maxDeleted = 5_000
    static let upkeepSeconds = 60

    private let address: PostgresAddress
    let days: Int
    private let patience: PostgresConnection.Patience
    let steps: [String]
    let log: Log
    private(set) var connection: PostgresConnection?
    /// The time zone in this relay's settings. The daily sums can use another zone, which is in `calendar`.
    private let zone: DayZone
    var calendar: DayCache
    private var hasSetZone = false
    /// The random id of this process. This id and the counter `written` identify each record.
    private let process = Int(truncatingIfNeeded: RandomBytes().next() >> 1)
    private var written = 0
    var nextUpkeep = LoopTime.distantPast
    var copyCleaning = CopyCleaning()
    var hasWarned = false
    /// Whether a warning said that the database cannot be used, and no line has taken it back.
    var isUnusable = false
    /// Whether the database may have rows that are not in the daily sums yet.
    var hasUnsummed = true
    private var indexes = [PostgresIndex.failed, .session]

    /// Creates the store without connecting. Throws if libpq rejects the URL.
    /// - Parameter days: the number of days after which rows are deleted; 0 for no limit.
    package convenience init(url: String, days: Int, zone: DayZone = .utc, _ log: Log) throws(UsageFailure) {
        try self.init(url: url, days: days, zone: zone, .init(), steps: UsageSchema.postgresSteps, log)
    }

    init(
        url: String,
        days: Int,
        zone: DayZone = .utc,
        _ patience: PostgresConnection.Patience,
        steps: [String],
        _ log: Log
    ) throws(UsageFailure) {
        address = try Self.address(url)
        self.days = days
        self.zone = zone
        calendar = DayCache(zone)
        self.patience = patience
        self.steps = steps
        self.log = log
    }

    static func address(_ url: String) throws(UsageFailure) -> PostgresAddress {
        guard let address = PostgresAddress(url) else {
            throw UsageFailure("USAGE_DATABASE_URL: \(PostgresAddress.rejection)")
        }
        return address
    }

    package func reopen() { connection = nil }

    package func end() {
        connection = nil
        stopIndexes()
    }

    package func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int {
        let batch = requests.prefix(Self.maxRequests)
        // If this write fails, the queue says so, and when records are written again.
        let wasUnusable = isUnusable
        isUnusable = false
        try access { connection throws(PostgresFailure) in
            do throws(PostgresFailure) {
                try insert(batch, isPlain: false, connection)
            } catch {
                guard error.isOfData else { throw error }
                // The database has another encoding than UTF-8, which cannot represent some character.
                try insert(batch, isPlain: true, connection)
            }
            written += batch.recordCount
            keepUp(connection)
        }
        isUnusable = wasUnusable
        reportUse()
        return batch.count
    }

    /// Calls `body` with an open connection. If `body` throws, the connection is closed.
    func access<Result>(
        _ body: (PostgresConnection) throws(PostgresFailure) -> Result
    ) throws(UsageFailure) -> Result {
        do throws(PostgresFailure) {
            return try body(try connected())
        } catch {
            connection = nil
            throw UsageFailure(error.isPermissionDenied ? "\(error.text); \(Self.rights)" : error.text)
        }
    }

    /// Closes the connection. Call it after a failure that is only logged and not thrown.
    func disconnect() { connection = nil }

    private static let rights =
        "GRANT SELECT, INSERT, UPDATE, DELETE ON relay_usage, relay_usage_sums, relay_usage_hours, relay_usage_process, relay_usage_zone, relay_usage_bodies, relay_limits to its user"

    private func insert(
        _ batch: ArraySlice<FinishedRequest>,
        isPlain: Bool,
        _ connection: PostgresConnection
    ) throws(PostgresFailure) {
        for _ in 0..<Self.maxZones {
            let values = values(of: batch, isPlain: isPlain)
            guard let found = try connection.value(PostgresSumsSQL.insert, values) else {
                throw PostgresFailure(text: "the table relay_usage_zone is empty")
            }
            if found == calendar.zone.name { return try insertBodies(of: batch, isPlain: isPlain, connection) }
            // Another relay was started with another zone. From now on the sums use that zone.
            calendar = DayCache(DayZone(named: found))
            guard calendar.zone.name == found else {
                throw PostgresFailure(
                    text: "the time zone \(found) of the sums is unknown on this machine; install tzdata"
                )
            }
        }
        throw PostgresFailure(text: "the time zone of the sums keeps changing")
    }

    /// Writes the bodies of a batch of requests, except those already in the database.
    private func insertBodies(
        of batch: ArraySlice<FinishedRequest>,
        isPlain: Bool,
        _ connection: PostgresConnection
    ) throws(PostgresFailure) {
        var number = written
        var arrays = UsageArrays(columns: 3, isPlain: isPlain, textLimitBytes: KeptBodies.maxBytes)
        for request in batch {
            if let bodies = request.bodies {
                arrays.begin()
                arrays.add(number)
                arrays.add(bodies.request)
                arrays.add(bodies.response)
                if arrays.bytes > Self.bodiesBytes { try insert(bodies: &arrays, connection) }
            }
            number += request.recordCount
        }
        if arrays.bytes > 0 { try insert(bodies: &arrays, connection) }
    }

    private func insert(bodies arrays: inout UsageArrays, _ connection: PostgresConnection) throws(PostgresFailure) {
        let values = PostgresValues()
        values.add("\(process)")
        arrays.end(in: values)
        arrays.removeAll()
        _ = try connection.run(
            """
            INSERT INTO \(UsageSchema.postgresBodies) \
            SELECT $1::bigint, input.* FROM unnest($2::bigint[], $3::text[], $4::text[]) AS input ON CONFLICT DO NOTHING
            """,
            values
        )
    }

    /// The size in bytes above which the collected bodies are written, with one statement.
    private static let bodiesBytes = 1_048_576

    /// The largest number of attempts to write a batch while other relays change the time zone.
    private static let maxZones = 5

    /// Returns the parameters of the statement `PostgresSumsSQL.insert` for a batch of requests.
    private func values(of batch: ArraySlice<FinishedRequest>, isPlain: Bool) -> PostgresValues {
        var arrays = UsageArrays(columns: 1 + UsageColumn.stored.count, isPlain: isPlain)
        var number = written
        var (firstTime, lastTime) = (Int.max, Int.min)
        for request in batch {
            for record in request.records {
                arrays.begin()
                arrays.add(number)
                UsageColumn.stored.write(record, to: &arrays)
                (firstTime, lastTime) = (
                    min(firstTime, record.timeMilliseconds), max(lastTime, record.timeMilliseconds)
                )
                number += 1
            }
        }
        let values = PostgresValues()
        values.add("\(process)")
        arrays.end(in: values)
        values.add(calendar.zone.name)
        DayStarts(calendar.zone, from: firstTime, to: lastTime).append(to: values)
        values.add("\(written)")
        values.add("\(number - 1)")
        return values
    }

    // MARK: The server

    private func connected() throws(PostgresFailure) -> PostgresConnection {
        if let connection { return connection }
        let made = try PostgresConnection.open(address, patience)
        try PostgresSchema(made, steps: steps).upgrade()
        if !hasSetZone, steps.count >= UsageSchema.postgresSteps.count {
            try PostgresSums.setZone(zone.name, made)
            hasSetZone = true
        }
        connection = made
        return made
    }

    /// Does the next step to create the indexes of failed requests and of sessions. Logs a warning if the step fails.
    func createIndexes(_ connection: PostgresConnection) {
        guard let next = indexes.firstIndex(where: { !$0.isComplete }) else { return }
        do throws(PostgresFailure) {
            try indexes[next].advance(connection) { () throws(PostgresFailure) in
                try PostgresConnection.open(address, patience)
            }
        } catch {
            // Without an index, searches for failed requests or for sessions take longer.
            if error.isPermissionDenied { stopIndexes() }
            if error.state.isEmpty { disconnect() }
            warn("an index of usage records cannot be created", error.text)
        }
    }

    private func stopIndexes() { for index in indexes.indices { indexes[index].stop() } }
}
