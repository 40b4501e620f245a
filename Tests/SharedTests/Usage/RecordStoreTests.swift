import Engine
import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

@Suite struct RecordStoreTests {
    private let folder = TemporaryFolder()

    private func sqlite(_ zone: DayZone = .utc) -> (SQLiteStore, CheckedStore) {
        let store = SQLiteStore(folder: folder.path, days: 0, maxBytes: 1 << 30, zone: zone, noLog)
        let checked = CheckedStore(
            name: "sqlite",
            source: SQLiteRecords(folder: folder.path),
            zone: zone,
            write: { records in
                try store.writeAll(records)
            },
            delete: { try store.delete($0) },
            summary: { [folder] in try SQLiteReading.summary(folder: folder.path, $0) }
        )
        return (store, checked)
    }

    @Test("sums, lists and the command line agree with the records", arguments: ["UTC", "Asia/Kathmandu"])
    func sqliteAgrees(zone: String) throws {
        var agreement = UsageAgreement(sqlite(DayZone(named: zone)).1, seed: 1)
        try agreement.run(requests: checkedRequests)
    }

    @Test("the same in memory")
    func memoryAgrees() throws {
        let records = MemoryRecords(bound: 100_000, .utc, .unbounded(), bodies: BodyBudget(.unbounded()))
        let checked = CheckedStore(
            name: "memory",
            source: records,
            zone: .utc,
            write: { try records.writeAll($0) },
            delete: { records.delete($0) }
        )
        var agreement = UsageAgreement(checked, seed: 2)
        try agreement.run(requests: checkedRequests)
    }

    @Test("memory keeps as many requests as the bound and the budget allow, and the sums of all")
    func memoryBounds() throws {
        let budget = MemoryBudget(bytes: 1 << 20)
        let records = MemoryRecords(bound: 100, .utc, budget, bodies: BodyBudget(budget))
        for number in 0..<1_000 { try records.writeAll([request(number), call(number)]) }
        let page = records.page(RecordQuery(), until: .distantFuture)
        #expect(page.total == 100 && page.records.first?.request.requestID == "request-999")
        #expect(records.table(UsageQuery(by: [.model]), until: .distantFuture).sum.requests == 1_000)
        records.use(bound: 1_000_000, .utc)
        for number in 0..<10_000 { try records.writeAll([request(number)]) }
        #expect(budget.usedBytes <= 1 << 20)
        let total = records.page(RecordQuery(), until: .distantFuture).total
        #expect((500..<5_000).contains(total))
    }

    @Test("a timeline of records that memory has removed is partial, and one of later records or of sums is not")
    func removedRecords() throws {
        let records = MemoryRecords(bound: 100, .utc, .unbounded(), bodies: BodyBudget(.unbounded()))
        let (minute, now) = (60_000, Timestamp.now())
        func timeline(_ range: Range<Int>) -> (requests: Int, isPartial: Bool) {
            let plan = TimelinePlan(TimelineQuery(by: nil, RecordFilter(), in: range), .utc, now: now)
            let (rows, isPartial) = records.timeline(plan, until: .distantFuture)
            return (rows.reduce(0) { $0 + $1.sum.requests.requests }, isPartial)
        }
        try records.writeAll((0..<100).map { request($0, at: now - 90 * minute) })
        #expect(timeline(now - 120 * minute..<now) == (100, false))
        try records.writeAll((0..<60).map { request($0, at: now - 30 * minute) })
        #expect(timeline(now - 120 * minute..<now) == (100, true))
        #expect(timeline(now - 60 * minute..<now) == (60, false))
        let today = now / 86_400_000 * 86_400_000
        #expect(timeline(today - 29 * 86_400_000..<today + 86_400_000) == (160, false))
    }

    @Test("memory forgets the oldest bodies first, and keeps their records")
    func memoryBodies() throws {
        let budget = MemoryBudget(bytes: 8 << 20)
        let bodyBudget = BodyBudget(budget)
        let records = MemoryRecords(bound: 100, .utc, budget, bodies: bodyBudget)
        for number in 0..<40 {
            let bodies = KeptBodies(limitBytes: 50_000, bodyBudget)
            bodies.keep(request: String(repeating: "x", count: 50_000))
            try records.writeAll([FinishedRequest(request(number), bodies: bodies)])
        }
        #expect(!bodyBudget.isNearlyFull)
        var query = RecordQuery()
        query.recordsPerPage = 100
        let page = records.page(query, until: .distantFuture)
        let isKept = page.records.map { records.request($0.id, until: .distantFuture)?.requestBody != nil }
        #expect(isKept == (0..<40).map { $0 < 15 })
    }

    @Test("old rows are summed in steps, which another process goes on with")
    func steps() throws {
        let day = 86_400_000
        let now = Timestamp.now()
        var (store, checked) = sqlite()
        try checked.write((0..<9_000).map { request($0, at: now - day + $0 % 3, cost: $0) })
        // The sums are as an older relay left them.
        try change("DELETE FROM sums; UPDATE sums_state SET mark = last_id")
        func table() throws -> UsageTable { try checked.source.table(UsageQuery(by: [.day]), until: .distantFuture) }
        #expect(try table().isPartial)
        try checked.write([request(1, at: now)])
        for _ in 0..<2 { #expect(store.advance() == 20) }
        #expect(try table().rows.map(\.isPartial).contains(true))
        let question = UsageReportQuery(by: .key, days: 3)
        #expect(try SQLiteReading.summary(folder: folder.path, question)?.total.requests == 9_001)
        // Deletions behind the mark leave the sums unchanged; those before it change them.
        var query = RecordQuery()
        query.isDescending = false
        let oldest = try checked.source.page(query, until: .distantFuture).records
        query.isDescending = true
        let newest = try checked.source.page(query, until: .distantFuture).records
        #expect(try store.delete((oldest + newest).map(\.id)) == 20)
        (store, checked) = sqlite()
        while let pause = store.advance(), pause == 20 {}
        let whole = try table()
        #expect(!whole.isPartial && whole.sum.requests == 8_981)
        #expect(try SQLiteReading.summary(folder: folder.path, question)?.total == whole.sum)
    }

    @Test("rows that an older relay writes beside this one are in the sums, and all are made anew at the next start")
    func older() throws {
        let (_, checked) = sqlite()
        try checked.write([request(1)])
        let columns = UsageColumn.stored.names
        try change("INSERT INTO records (id,\(columns)) SELECT id + 1,\(columns) FROM records")
        try checked.write([request(2)])
        func sum() throws -> Int {
            try checked.source.table(UsageQuery(by: [.day]), until: .distantFuture).sum.requests
        }
        #expect(try sum() == 3)
        // Another relay deletes a record without changing the sums.
        try change("DELETE FROM records WHERE id = (SELECT min(id) FROM records)")
        #expect(try sum() == 3)
        let (store, _) = sqlite()
        while store.advance() == 20 {}
        #expect(try sum() == 2)
    }

    @Test("another time zone has the sums made anew")
    func zones() throws {
        try sqlite().1.write((0..<50).map { request($0, at: Timestamp.now() - $0 * 3_600_000) })
        let (store, checked) = sqlite(DayZone(named: "Pacific/Kiritimati"))
        while store.advance() == 20 {}
        let table = try checked.source.table(UsageQuery(by: [.day]), until: .distantFuture)
        #expect(table.sum.requests == 50 && table.rows.last?.values == [checked.zone.today.text])
    }

    @Test("a query whose time is over says so, and where to go on")
    func time() throws {
        let (_, checked) = sqlite()
        try checked.write((0..<20_000).map { request($0, at: 1_790_000_000_000 + $0) })
        var query = RecordQuery()
        query.filter.keywords = "nothing"
        var rounds = 0
        var page = try checked.source.page(query, until: .current())
        while page.isPartial, rounds < 10_000 {
            #expect(page.records.isEmpty && (rounds == 0 || page.continuation != nil))
            query.filter.before = page.continuation ?? query.filter.before
            page = try checked.source.page(query, until: .current() + 1_000_000)
            rounds += 1
        }
        #expect(!page.isPartial && page.total == 0 && rounds > 0)
    }

    @Test("a page that begins with the oldest record names no place to go on, because `before` leads to older ones")
    func ascending() {
        func continuation(_ order: RecordOrder, isDescending: Bool) -> RecordID? {
            var query = RecordQuery()
            (query.order, query.isDescending) = (order, isDescending)
            var page = RecordPage()
            page.goOn(after: .number(5), query)
            return page.continuation
        }
        #expect(continuation(.id, isDescending: false) == nil)
        #expect(continuation(.id, isDescending: true) == .number(5))
        #expect(continuation(.time, isDescending: false) == .number(5))
    }

    @Test("records that age out take their sums with them")
    func ages() throws {
        let now = Timestamp.now()
        let store = SQLiteStore(folder: folder.path, days: 2, maxBytes: 1 << 30, noLog)
        store.upkeepSeconds = 0
        let old = (0..<9_000).map { request($0, at: now - 3 * 86_400_000) }
        try store.writeAll(old + [request(1, at: now)])
        for _ in 0..<5 { _ = store.advance() }
        let table = try SQLiteRecords(folder: folder.path).table(UsageQuery(by: [.day]), until: .distantFuture)
        #expect(table.sum.requests == 1 && table.rows.count == 1)
    }

    private func change(_ sql: String) throws {
        try SQLiteDatabase.open("\(folder.path)/usage.db", .write, busyMilliseconds: 1_000).execute(sql)
    }
}
