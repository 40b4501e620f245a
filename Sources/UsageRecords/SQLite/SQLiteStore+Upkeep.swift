import Engine
import Shared

// Background work: sums of old rows, retention, deletes.
extension SQLiteStore {
    /// Does one step of background work: adds some missing records to the daily sums, and deletes some of the oldest
    /// records if they are too old or the file is too large. Returns the time until the next step, in milliseconds;
    /// never nil.
    package func advance() -> Int? {
        let isMore = try? access { opened throws(SQLiteFailure) in
            let isMore = try opened.transaction { () throws(SQLiteFailure) in
                var state = try opened.sums.state()
                guard state.mark > 0 else { return false }
                return try opened.sums.advance(&state, rows: UsageSchema.rowsOfStep, zone(of: state))
            }
            try keepUp(opened)
            return isMore
        }
        return isMore == true ? UsageSchema.stepMilliseconds : upkeepSeconds * 1_000
    }

    func delete(_ ids: [RecordID]) throws(UsageFailure) -> Int {
        try access { opened throws(SQLiteFailure) in
            try opened.transaction { () throws(SQLiteFailure) in
                let state = try opened.sums.state()
                var sums = UsageSums(zone(of: state))
                let rows = try SQLiteRequestRows(opened.database)
                let delete = try opened.database.prepare("DELETE FROM \(UsageSchema.sqliteTable) WHERE id = ?")
                var count = 0
                for case .number(let id) in ids {
                    let found = try rows.rows(id)
                    if !found.isEmpty { count += 1 }
                    for row in found {
                        delete.add(row.id)
                        try delete.run()
                        if row.id > state.mark { sums.add(row.record, -1) }
                    }
                }
                try opened.sums.write(sums, isRemoval: true)
                return count
            }
        }
    }

    // MARK: Retention

    /// Deletes some of the oldest records if they are too old or the file is too large. Does nothing if this work was
    /// finished less than `upkeepSeconds` ago.
    func keepUp(_ opened: OpenDatabase) throws(SQLiteFailure) {
        let now = LoopTime.current()
        guard now >= nextUpkeep else { return }
        nextUpkeep = now.adding(seconds: upkeepSeconds)
        let database = opened.database
        if days > 0 {
            try deleteOldest(below: UsageSchema.firstSQLiteID(at: Timestamp.now() - days * 86_400_000), opened)
        }
        let pageBytes = try database.number("PRAGMA page_size")
        let pages = try database.number("PRAGMA page_count")
        let free = try database.number("PRAGMA freelist_count")
        if (pages - free) * pageBytes > maxBytes { try deleteOldest(below: .max, opened) }
        if pages * pageBytes > maxBytes { try database.execute("PRAGMA incremental_vacuum(1000)") }
    }

    private func deleteOldest(below bound: Int, _ opened: OpenDatabase) throws(SQLiteFailure) {
        let table = UsageSchema.sqliteTable
        guard try opened.database.number("SELECT min(id) FROM \(table) WHERE id < \(bound)") > 0 else { return }
        let count = try opened.transaction { () throws(SQLiteFailure) in
            let state = try opened.sums.state()
            var sums = UsageSums(zone(of: state))
            let oldest = try opened.database.prepare(
                "SELECT \(UsageSchema.sqliteSummed) FROM \(table) WHERE id < \(bound) ORDER BY id LIMIT \(Self.maxDeleted)"
            )
            var (count, last) = (0, 0)
            while try oldest.step() {
                last = oldest.number(0) ?? 0
                if last > state.mark { sums.add(oldest.summedRecord, -1) }
                count += 1
            }
            try opened.database.execute("DELETE FROM \(table) WHERE id <= \(last)")
            try opened.sums.write(sums, isRemoval: true)
            return count
        }
        if count == Self.maxDeleted { nextUpkeep = .distantPast }
    }
}

/// Reads the rows of a request and of its upstream calls. The calls follow directly after their request.
struct SQLiteRequestRows {
    private let statement: SQLiteStatement

    init(_ database: SQLiteDatabase) throws(SQLiteFailure) {
        statement = try database.prepare(
            "SELECT \(UsageSchema.sqliteRow) FROM \(UsageSchema.sqliteTable) WHERE id >= ? ORDER BY id LIMIT \(1 + UsageSchema.maxCalls)"
        )
    }

    /// Returns the rows of a request and its upstream calls; empty if no request has this id.
    func rows(_ id: Int) throws(SQLiteFailure) -> [(id: Int, record: UsageRecord)] {
        statement.add(id)
        defer { statement.end() }
        var rows = RequestRows(of: id)
        while try statement.step(), rows.add(statement.id, statement.record) {}
        return rows.found
    }
}
