import Shared

/// The sums by day and by hour in an SQLite file. Call all functions except the initializer within a transaction.
///
/// Records that are not in the sums yet have ids up to `State.mark`. They are added newest first.
struct SQLiteSums {
    struct State {
        var zone: String
        /// The highest id of the rows that the daily sums lack; 0 if there are none.
        var mark: Int
        /// The highest record id when the daily sums were last updated. Rows with higher ids come from an older version
        /// of the relay.
        var lastID: Int
        /// Whether an older version of the relay has written rows since the sums were created.
        var isMixed: Bool
    }

    private let database: SQLiteDatabase
    private let read: SQLiteStatement
    private let update: SQLiteStatement
    private let days: Table
    private let hours: Table
    private let below: SQLiteStatement
    private let between: SQLiteStatement

    init(_ database: SQLiteDatabase) throws(SQLiteFailure) {
        self.database = database
        read = try database.prepare("SELECT zone, mark, last_id, is_mixed FROM sums_state")
        update = try database.prepare("UPDATE sums_state SET zone = ?, mark = ?, last_id = ?, is_mixed = ?")
        days = try Table(.days, database)
        hours = try Table(.hours, database)
        let table = UsageSchema.sqliteTable
        below = try database.prepare(
            "SELECT \(UsageSchema.sqliteSummed) FROM \(table) WHERE id <= ? ORDER BY id DESC LIMIT ?"
        )
        between = try database.prepare("SELECT \(UsageSchema.sqliteSummed) FROM \(table) WHERE id > ? AND id <= ?")
    }

    func state() throws(SQLiteFailure) -> State {
        defer { read.end() }
        guard try read.step() else { throw SQLiteFailure(code: 1, text: "the table sums_state is empty") }
        return State(
            zone: read.text(0) ?? "",
            mark: read.number(1) ?? 0,
            lastID: read.number(2) ?? 0,
            isMixed: read.number(3) == 1
        )
    }

    func write(_ state: State) throws(SQLiteFailure) {
        update.add(state.zone)
        update.add(state.mark)
        update.add(state.lastID)
        update.add(state.isMixed)
        try update.run()
    }

    func write(_ sums: UsageSums, isRemoval: Bool = false) throws(SQLiteFailure) {
        try days.write(sums.days, isRemoval: isRemoval)
        try hours.write(sums.hours, isRemoval: isRemoval)
    }

    /// Deletes all sums. Background steps then add all rows to the daily sums again.
    func restart(_ state: inout State, zone: String) throws(SQLiteFailure) {
        try database.execute("DELETE FROM sums; DELETE FROM hours")
        let newest = try database.number("SELECT max(id) FROM \(UsageSchema.sqliteTable)")
        state = State(zone: zone, mark: newest, lastID: newest, isMixed: false)
        try write(state)
    }

    /// Adds the rows with ids above `state.lastID` to `sums`. An older relay wrote these rows without daily sums.
    /// `newest` is the highest id in the table of records.
    func catchUp(_ state: inout State, to newest: Int, in sums: inout UsageSums) throws(SQLiteFailure) {
        guard newest > state.lastID else { return }
        between.add(state.lastID)
        between.add(newest)
        defer { between.end() }
        while try between.step() {
            sums.add(between.summedRecord, id: between.id)
        }
        (state.lastID, state.isMixed) = (newest, true)
    }

    /// Adds at most `limit` records that the daily sums lack, newest first, and lowers `state.mark` below them. Returns
    /// whether the sums might still lack records.
    func advance(_ state: inout State, rows limit: Int, _ zone: DayZone) throws(SQLiteFailure) -> Bool {
        var sums = UsageSums(zone)
        var (count, lowest) = (0, state.mark)
        below.add(state.mark)
        below.add(limit)
        defer { below.end() }
        while try below.step() {
            lowest = below.id
            sums.add(below.summedRecord, id: lowest)
            count += 1
        }
        try write(sums)
        state.mark = count < limit ? 0 : max(1, lowest) - 1
        try write(state)
        return state.mark > 0
    }

    fileprivate struct Table {
        private let table: SumsTable
        private let add: SQLiteStatement
        private let removeEmpty: SQLiteStatement

        init(_ table: SumsTable, _ database: SQLiteDatabase) throws(SQLiteFailure) {
            self.table = table
            // The ids of the newest records show which records a day has.
            let last = table.hasTimes ? [] : ["last_id"]
            let names = table.keys + table.columns + last
            let sums =
                table.columns.map { "\($0) = \($0) + excluded.\($0)" }
                + last.map { "\($0) = max(\($0), excluded.\($0))" }
            let marks = names.map { _ in "?" }.joined(separator: ",")
            add = try database.prepare(
                """
                INSERT INTO \(table.name) (\(names.joined(separator: ","))) VALUES (\(marks))
                ON CONFLICT DO UPDATE SET \(sums.joined(separator: ", "))
                """
            )
            let keys = table.keys.map { "\($0) = ?" }.joined(separator: " AND ")
            removeEmpty = try database.prepare("DELETE FROM \(table.name) WHERE \(keys) AND requests = 0 AND calls = 0")
        }

        func write(_ sums: SumTable, isRemoval: Bool) throws(SQLiteFailure) {
            var (add, removeEmpty) = (add, removeEmpty)
            for row in sums.stored(table.omissions) {
                row.key.write(to: &add, table)
                row.sum.write(to: &add)
                if !table.hasTimes { add.add(row.sum.lastID) }
                try add.run()
                guard isRemoval else { continue }
                row.key.write(to: &removeEmpty, table)
                try removeEmpty.run()
            }
        }
    }
}

extension SQLiteStatement {
    /// The id in a row with the columns `UsageSchema.sqliteRow`.
    var id: Int { number(0) ?? 0 }
    /// The record in a row with the columns `UsageSchema.sqliteRow`.
    var record: UsageRecord { UsageColumn.inSQLite.record(self, at: 1) }
    /// The record in a row with the columns `UsageSchema.sqliteSummed`, with what sums need.
    var summedRecord: UsageRecord { UsageColumn.summedInSQLite.record(self, at: 1) }
}

extension SQLiteStatement: UsageRow {
    func number(at index: Int) -> Int? { number(Int32(index)) }
    func flag(at index: Int) -> Bool { number(Int32(index)) == 1 }
    func text(at index: Int) -> String? { text(Int32(index)) }
}
