import Engine
import Shared

// Background work: sums of old rows, retention, deletes.
extension PostgresStore {
    /// Does one step of background work: adds some missing records to the daily sums, and deletes some expired records.
    /// Returns the time until the next step, in milliseconds; never nil.
    package func advance() -> Int? {
        do throws(UsageFailure) {
            try access { connection throws(PostgresFailure) in
                hasUnsummed = try PostgresSums(connection).advance(calendar.zone)
                keepUp(connection)
                if !hasUnsummed, steps.count >= UsageSchema.postgresSteps.count { createIndexes(connection) }
            }
        } catch {
            if !hasWarned { isUnusable = true }
            warn("the usage database cannot be used", error.cause)
            return Self.upkeepSeconds * 1_000
        }
        reportUse()
        return hasUnsummed ? UsageSchema.stepMilliseconds : Self.upkeepSeconds * 1_000
    }

    func delete(_ ids: [RecordID]) throws(UsageFailure) -> Int {
        try access { connection throws(PostgresFailure) in try PostgresSums(connection).delete(ids, calendar.zone) }
    }

    /// Deletes up to `maxDeleted` expired rows. Does nothing for a minute after a call that deleted fewer.
    func keepUp(_ connection: PostgresConnection) {
        let now = LoopTime.current()
        guard days > 0, now >= nextUpkeep else { return }
        nextUpkeep = now.adding(seconds: Self.upkeepSeconds)
        let bound = Timestamp.now() - days * 86_400_000
        do throws(PostgresFailure) {
            let sums = PostgresSums(connection)
            let count = try sums.deleteOldest(before: bound, rows: Self.maxDeleted, calendar.zone)
            if count == Self.maxDeleted { nextUpkeep = .distantPast }
        } catch {
            // The new rows are written all the same.
            disconnect()
            warn("old usage records cannot be deleted", error.text)
        }
    }

    /// Logs that the database can be used again, if a warning said otherwise.
    func reportUse() {
        guard isUnusable else { return }
        (isUnusable, hasWarned) = (false, false)
        log.warning("usage records are written again") { $0.add("to", "postgres") }
    }

    func warn(_ event: StaticString, _ cause: String) {
        guard !hasWarned else { return }
        hasWarned = true
        log.warning(event) { line in
            line.add("setting", "USAGE_DATABASE_URL")
            line.add("cause", cause)
            line.add("meanwhile", "records wait in memory, and a restart loses them")
            line.add("remedy", "correct the setting or start the database; `relay check --ask` tries it")
        }
    }
}
