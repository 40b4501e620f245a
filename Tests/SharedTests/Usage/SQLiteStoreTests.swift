import CSQLite
import Engine
import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

@Suite struct SQLiteStoreTests {
    private let folder = TemporaryFolder()

    private var path: String { "\(folder.path)/usage.db" }

    private func store(
        days: Int = 90,
        maxBytes: Int = 1 << 30,
        steps: [String] = UsageSchema.sqliteSteps
    ) -> SQLiteStore {
        SQLiteStore(folder: folder.path, days: days, maxBytes: maxBytes, steps: steps, noLog)
    }

    /// Returns the rows of a query, as another program reads them.
    private func rows(_ sql: String, columns: Int32 = 1) throws -> [[String?]] {
        let statement = try SQLiteDatabase.open(path, .read, busyMilliseconds: 1_000).prepare(sql)
        var rows: [[String?]] = []
        while try statement.step() { rows.append((0..<columns).map { statement.text($0) }) }
        return rows
    }

    private func change(_ sql: String) throws {
        try SQLiteDatabase.open(path, .write, busyMilliseconds: 1_000).execute(sql)
    }

    @Test("a record is a row, which others read while the store is open")
    func columns() throws {
        let store = store(days: 0)
        try store.writeAll([request(1, at: 1_790_000_000_123, cost: 1_500), call(1, at: 5)])
        let names = recordColumns.joined(separator: ",")
        #expect(recordColumns.sorted() == UsageColumn.stored.map(\.name).sorted())
        let found = try rows("SELECT \(names) FROM usage ORDER BY id", columns: Int32(recordColumns.count))
        #expect(
            found.first == [
                "1790000000123", "0", "request-1", "/v1/chat/completions", "team", "fast", "big/model:1", "row", nil,
                "20",
                "30", "0", "1500", nil, "812", "1", "0", "0", "1", "200", nil, nil, "0", "0", nil,
                nil, "0", "0", "0", "0", nil, nil, nil, nil, nil,
            ]
        )
        #expect(
            found.last == [
                "5", "1", "request-1", "/v1/chat/completions", "team", "fast", nil, "row", "k1", "5", "0", "1", nil,
                "7",
                "0", "0", "0", "0", "0", "500", "it said \"no\" \\ \u{e4}\u{1f600}", nil, nil, nil, nil,
                nil, "0", "0", "0", "0", nil, nil, nil, nil, nil,
            ]
        )
        #expect(try rows("PRAGMA journal_mode") == [["wal"]])
        var about = stat()
        #expect(stat(path, &about) == 0 && about.st_mode & 0o007 == 0, "others read the file")
    }

    @Test("records go to a new file if somebody deletes or replaces the file", arguments: ["", "-wal"])
    func gone(kept: String) throws {
        let store = store()
        try store.writeAll([request(1), request(2)])
        for name in ["", "-wal", "-shm"] where name != kept { unlink(path + name) }
        if kept.isEmpty {
            #expect(rename(path, path + ".other") == 0)
        }
        try store.writeAll([request(3)])
        try store.writeAll([request(4)])
        #expect(try rows("SELECT request_id FROM usage ORDER BY id") == [["request-3"], ["request-4"]])
    }

    @Test("texts are bounded, without the byte 0, and none is not the same as an empty one")
    func texts() throws {
        let long = String(repeating: "\u{e4}", count: 600)
        try store().writeAll([request(1, model: ""), request(2, model: "a\0b"), request(3, model: long)])
        let found = try rows("SELECT model FROM usage ORDER BY id").map { $0[0] }
        #expect(found == ["", "a?b", String(repeating: "\u{e4}", count: 500)])
    }

    @Test("bodies are kept beside their records, and go with them")
    func bodies() throws {
        let budget = BodyBudget(.unbounded())
        let now = Timestamp.now()
        let records = (0..<20).map { number in
            var record = number % 2 == 0 ? requestWithCall(number, at: now) : request(number, at: now)
            record.firstByteMilliseconds = number
            guard number % 3 > 0 else { return FinishedRequest(record) }
            let bodies = KeptBodies(limitBytes: 200_000, budget)
            bodies.keep(request: "request \(number)")
            bodies.keep(response: String(repeating: "x", count: 100_000))
            return FinishedRequest(record, bodies: bodies)
        }
        let store = store()
        try store.writeAll(records)
        let reader = SQLiteRecords(folder: folder.path)
        var query = RecordQuery()
        query.recordsPerPage = 20
        let page = try reader.page(query, until: .distantFuture)
        #expect(page.records.count == 20)
        for row in page.records {
            let number = Int(row.request.requestID.dropFirst(8)) ?? 0
            let found = try reader.request(row.id, until: .distantFuture)
            #expect(found?.requestBody == (number % 3 > 0 ? "request \(number)" : nil))
            #expect(found?.responseBody?.utf8.count == (number % 3 > 0 ? 100_000 : nil))
            #expect(row.request.firstByteMilliseconds == number)
        }
        #expect(try rows("SELECT count(*) FROM bodies") == [["13"]])
        #expect(try store.delete(page.records.prefix(19).map(\.id)) == 19)
        #expect(try rows("SELECT count(*) FROM bodies") == [["0"]])
    }

    @Test("a request and its only call are one row of the table, and two of what others read, as if written apart")
    func joined() throws {
        let now = 1_790_000_000_123
        let odd = [
            "a\0b", "a?b", "", "b?a", String(repeating: "x", count: 1_000), String(repeating: "y", count: 1_000),
        ]
        var records =
            [
                request(0, at: now), requestWithCall(1, at: now, credits: 7), requestWithCall(2, at: now, key: nil),
                call(3, at: now), requestWithCall(4, at: now, callAt: now, credits: 0), request(5, at: now),
                requestWithCall(6, at: now + 1, callAt: now - 9, model: nil, credits: 8), request(7, at: now),
            ] + odd.enumerated().map { requestWithCall(8 + $0, at: now, model: $1, key: $1) }
        // With twice as many records, some are written in statements of several rows, and the rest in further ones.
        records += records
        try store(days: 0).writeAll(records)
        let columns = "id," + UsageColumn.stored.names
        let count = Int32(1 + UsageColumn.stored.count)
        let found = try rows("SELECT \(columns) FROM usage ORDER BY id", columns: count)
        #expect(try rows("SELECT count(*) FROM records") == [["\(records.count)"]])
        #expect(try rows("SELECT count(*) FROM usage WHERE kind = '0' AND id > '0'") == [["26"]])
        #expect(try rows("SELECT count(*) FROM usage WHERE kind = '1' AND id > '0'") == [["22"]])
        let first = now * 4_096
        #expect(
            try rows("SELECT count(*) FROM usage WHERE id >= \(first) AND id >= time * 4096") == [["\(found.count)"]]
        )

        for name in folder.files() { unlink("\(folder.path)/\(name)") }
        let apart = records.flatMap { record in
            guard let call = record.onlyCall else { return [record] }
            var request = record
            request.subject = .request
            return [request, call]
        }
        try store(days: 0).writeAll(apart)
        let expected = try rows("SELECT \(columns) FROM usage ORDER BY id", columns: count)
        #expect(try rows("SELECT count(*) FROM records") == [["\(apart.count)"]])
        #expect(found.map { $0.dropFirst() } == expected.map { $0.dropFirst() })
        let ids = found.compactMap { $0[0].flatMap { Int($0) } }
        #expect(ids.count == apart.count && zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test("ids go on after a row with a call, also one that another relay wrote")
    func idsAfterCalls() throws {
        let (one, other) = (store(days: 0), store(days: 0))
        for number in 0..<4 { try (number.isMultiple(of: 2) ? one : other).writeAll([requestWithCall(number, at: 5)]) }
        try one.writeAll([request(4, at: 5), call(4, at: 5)])
        #expect(try rows("SELECT count(*), count(DISTINCT id) FROM usage", columns: 2) == [["10", "10"]])
        let requests = try rows("SELECT request_id FROM usage WHERE kind = 0 ORDER BY id").map { $0[0] }
        #expect(requests == (0..<5).map { "request-\($0)" })
    }

    @Test("a file of version 1 or 2 keeps its rows", arguments: [1, 2])
    func older(version: Int) throws {
        try change(
            """
            CREATE TABLE usage (
                id INTEGER PRIMARY KEY,
                time INTEGER NOT NULL, kind INTEGER NOT NULL, request_id TEXT NOT NULL,
                endpoint TEXT, caller TEXT, model TEXT, model_used TEXT, provider TEXT, key TEXT,
                prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
                cost INTEGER, credits INTEGER,
                duration_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, stream INTEGER NOT NULL, cached INTEGER NOT NULL,
                success INTEGER NOT NULL, status INTEGER, error TEXT
            );
            CREATE INDEX usage_time ON usage (time);
            INSERT INTO usage VALUES (1, \(Timestamp.now()), 0, 'old', NULL, 'team', 'fast', NULL, NULL, NULL, 1, 2, 0, 3, NULL,
                4, 1, 0, 0, 1, 200, NULL);
            PRAGMA user_version = 1;
            """
        )
        if version == 2 {
            try change("\(UsageSchema.sqliteSteps[1]); PRAGMA user_version = 2")
            #expect(try rows("SELECT id / 4096 - time FROM usage") == [["0"]])
        }
        let before = try rows("SELECT * FROM usage", columns: 22).map { $0.dropFirst() }
        try store().writeAll([request(1), requestWithCall(2)])
        #expect(
            try rows("SELECT request_id, kind FROM usage ORDER BY id", columns: 2) == [
                ["old", "0"], ["request-1", "0"], ["request-2", "0"], ["request-2", "1"],
            ]
        )
        #expect(try rows("SELECT * FROM usage ORDER BY id LIMIT 1", columns: 22).map { $0.dropFirst() } == before)
        #expect(try rows("PRAGMA user_version") == [["\(UsageSchema.sqliteSteps.count)"]])
        let question = UsageReportQuery(by: .model, days: 1)
        #expect(try SQLiteReading.summary(folder: folder.path, question)?.total.requests == 3)
    }

    @Test("an older file is upgraded whole or not at all; a newer one is neither read nor written")
    func upgrade() throws {
        try store().writeAll([request(1)])
        let added = "ALTER TABLE records ADD COLUMN more INTEGER NOT NULL DEFAULT 7"
        #expect(throws: UsageFailure.self) {
            try store(steps: UsageSchema.sqliteSteps + [added, "ALTER TABLE nothing ADD COLUMN x INTEGER"]).check()
        }
        #expect(try rows("PRAGMA user_version") == [["\(UsageSchema.sqliteSteps.count)"]])
        #expect(throws: SQLiteFailure.self) { try rows("SELECT more FROM records") }
        try store(steps: UsageSchema.sqliteSteps + [added]).writeAll([request(2)])
        #expect(
            try rows("SELECT request_id, more FROM records", columns: 2) == [["request-1", "7"], ["request-2", "7"]]
        )
        let failure = #expect(throws: UsageFailure.self) {
            try SQLiteReading.summary(folder: folder.path, UsageReportQuery(by: .key, days: 1))
        }
        #expect(
            failure?.cause.contains(
                "a newer relay wrote the file (schema \(UsageSchema.sqliteSteps.count + 1); this relay supports \(UsageSchema.sqliteSteps.count))"
            ) == true
        )
        // What runs beside a newer relay leaves the file where it is.
        #expect(throws: UsageFailure.self) { try store().writeAll([request(3)]) }
        #expect(!folder.files().contains { $0.hasPrefix("usage.db.") && $0.contains("newer") })
    }

    @Test("an older relay starts with a new file, and keeps that of the newer one whole")
    func downgrade() throws {
        let steps = UsageSchema.sqliteSteps + ["ALTER TABLE records ADD COLUMN more INTEGER NOT NULL DEFAULT 7"]
        try store(steps: steps).writeAll([request(1)])
        let older = store()
        try older.check()
        try older.writeAll([request(2), request(3)])
        #expect(try rows("SELECT request_id FROM usage") == [["request-2"], ["request-3"]])
        let kept = try #require(folder.files().first { $0.hasPrefix("usage.db.newer-") && $0.last?.isNumber == true })
        older.end()
        // Moved back, it is the newer relay's again.
        #expect(rename("\(folder.path)/\(kept)", path) == 0)
        try store(steps: steps).check()
        #expect(try rows("SELECT request_id, more FROM records", columns: 2) == [["request-1", "7"]])
    }

    @Test("the numbers of a damaged file may be any", arguments: [Int.max, .min])
    func anyNumbers(number: Int) throws {
        try store().writeAll([requestWithCall(1)])
        let columns = [
            "time", "prompt_tokens", "completion_tokens", "cost", "duration_ms", "attempts", "call_before_ms",
        ]
        try change("UPDATE records SET " + columns.map { "\($0) = \(number)" }.joined(separator: ","))
        let sums = ["day", "last_id"] + UsageSchema.sumColumns
        try change("UPDATE sums SET " + sums.map { "\($0) = \(number)" }.joined(separator: ","))
        try change("UPDATE sums SET failed = \(~number)")
        for state in ["last_id = 0", "last_id = 0, mark = \(number)"] {
            try change("UPDATE sums_state SET \(state)")
            let records = SQLiteRecords(folder: folder.path)
            var query = RecordQuery()
            query.filter.outcome = .completed
            // SQLite refuses sums that overflow.
            _ = try? records.page(query, until: .distantFuture)
            for group in [UsageReportQuery.Group.key, .model, .day, .provider] {
                _ = try? SQLiteReading.summary(folder: folder.path, UsageReportQuery(by: group, days: 1))
            }
            _ = try? records.table(UsageQuery(by: [.day, .model]), until: .distantFuture)
            // The row is added to the sums, as one of an older relay is.
            try store(days: 0).writeAll([request(2)])
        }
        #expect(try rows("SELECT count(*) FROM records") == [["3"]])
    }

    @Test(
        "a file whose newest row leaves no ids is put aside as damaged",
        arguments: [
            "UPDATE records SET id = 9223372036854775807", "UPDATE sums_state SET last_id = 9223372036854775807",
        ]
    )
    func noIDsLeft(damage: String) throws {
        try store().writeAll([request(1)])
        try change(damage)
        let store = store()
        #expect(throws: UsageFailure.self) { try store.writeAll([request(2)]) }
        try store.writeAll([request(2)])
        #expect(folder.files().contains { $0.hasPrefix("usage.db.broken-") })
    }

    @Test("a file that is no database, or a damaged one, is put aside and a new one is begun")
    func damaged() throws {
        let file = try #require(fopen(path, "w"))
        fputs(String(repeating: "no database at all\n", count: 500), file)
        fclose(file)
        let store = store()
        try store.check()
        #expect(folder.files().contains { $0.hasPrefix("usage.db.broken-") })
        try store.writeAll((0..<200).map { request($0) })
        #expect(try rows("SELECT count(*) FROM usage") == [["200"]])
        // Another broken file within an hour is left in place.
        store.reopen()
        let again = try #require(fopen(path, "w"))
        fputs("no database at all\n" + String(repeating: "x", count: 5_000), again)
        fclose(again)
        #expect(throws: UsageFailure.self) { try store.writeAll([request(1)]) }
        #expect(throws: UsageFailure.self) { try store.writeAll([request(1)]) }
        #expect(
            folder.files().count { $0.hasPrefix("usage.db.broken-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") }
                == 1
        )
    }

    @Test("records older than the days go, in steps")
    func age() throws {
        let store = store(days: 2)
        store.upkeepSeconds = 0
        let day = 86_400_000
        let now = Timestamp.now()
        try store.writeAll((0..<9_000).map { request($0, at: now - 3 * day) })
        for number in 0..<3 { try store.writeAll([request(10_000 + number, at: now - day)]) }
        #expect(try rows("SELECT count(*), min(time) >= \(now - 2 * day) FROM usage", columns: 2) == [["3", "1"]])
        let forever = self.store(days: 0)
        forever.upkeepSeconds = 0
        try forever.writeAll([request(1, at: 5), request(2)])
        #expect(try rows("SELECT count(*) FROM usage WHERE time = 5") == [["1"]])
    }

    @Test("a question finds each record of its days, also where the clock was set back or ahead")
    func clock() throws {
        let day = 86_400_000
        let today = Day.today.secondsSince1970 * 1_000
        let times = [today, today - 1, today + 3_000, today - 5 * day, today + 1, today + 400 * day, today, today - 1]
        for time in times { try store(days: 0).writeAll([request(1, at: time), call(1, at: time)]) }
        #expect(try rows("SELECT time FROM usage WHERE kind = 0 ORDER BY id").map { $0[0] } == times.map(String.init))
        let found = try SQLiteReading.summary(folder: folder.path, UsageReportQuery(by: .day, days: 1))
        #expect(found?.total.requests == 5)
        #expect(
            try SQLiteReading.summary(folder: folder.path, UsageReportQuery(by: .day, days: 2))?.total.requests == 7
        )
    }

    @Test("the oldest records go where the file would be too large, and it gets smaller where less is allowed")
    func size() throws {
        let large = store(maxBytes: 4 << 20)
        large.upkeepSeconds = 0
        try large.writeAll((0..<60_000).map { request($0) })
        var about = stat()
        #expect(stat(path, &about) == 0 && about.st_size < 6 << 20)
        #expect(try rows("SELECT request_id FROM usage ORDER BY id DESC LIMIT 1") == [["request-59999"]])
        #expect(try rows("SELECT count(*) < 56000 FROM usage") == [["1"]])
        large.reopen()
        let small = store(maxBytes: 1 << 20)
        small.upkeepSeconds = 0
        for number in 0..<20 { try small.writeAll([request(number)]) }
        small.reopen()
        #expect(stat(path, &about) == 0 && about.st_size <= 2 << 20)
    }

    @Test("a full disk loses nothing: records are written once there is room")
    func full() throws {
        let store = store()
        try store.check()
        let records = finished((0..<5_000).map { request($0) })
        try store.opened?.database.execute("PRAGMA max_page_count = 60")
        var rest = records[...]
        #expect(throws: UsageFailure.self) {
            while !rest.isEmpty { rest = rest.dropFirst(try store.write(rest)) }
        }
        #expect(!rest.isEmpty)
        #expect(throws: UsageFailure.self) { try store.write(rest) }
        try store.opened?.database.execute("PRAGMA max_page_count = 100000")
        while !rest.isEmpty { rest = rest.dropFirst(try store.write(rest)) }
        #expect(try rows("SELECT count(*), count(DISTINCT request_id) FROM usage", columns: 2) == [["5000", "5000"]])
    }

    @Test("two relays may write to one file")
    func shared() throws {
        let (one, other) = (store(), store())
        for number in 0..<10 { try (number.isMultiple(of: 2) ? one : other).writeAll([request(number)]) }
        #expect(try rows("SELECT count(*) FROM usage") == [["10"]])
    }

    @Test("a folder is made where the one above it exists")
    func folders() throws {
        try DataFolder.prepare("\(folder.path)/data")
        try DataFolder.prepare("\(folder.path)/data")
        let missing = #expect(throws: UsageFailure.self) { try DataFolder.prepare("\(folder.path)/a/b") }
        #expect(missing?.cause.contains("make it, or name another folder") == true)
        let file = try #require(fopen("\(folder.path)/file", "w"))
        fclose(file)
        #expect(throws: UsageFailure.self) { try DataFolder.prepare("\(folder.path)/file") }
    }
}
