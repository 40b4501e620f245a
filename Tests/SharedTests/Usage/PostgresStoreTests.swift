import Engine
import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

/// A PostgreSQL server that a test has started. It ends with the object.
private final class PostgresServer {
    static let password = "pass-%40-of-a-test"
    private static let program =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/postgres-server"

    private let folder = TemporaryFolder()
    private let directory: String

    init() {
        directory = "\(folder.path)/server"
        chmod(folder.path, 0o755)
        #expect(spawned(Self.program, "init", directory, "pass-@-of-a-test") == 0)
        start()
    }

    deinit { spawned(Self.program, "remove", directory) }

    func start() { #expect(spawned(Self.program, "start", directory) == 0) }
    func stop() { #expect(spawned(Self.program, "stop", directory) == 0) }
    func pause() { #expect(spawned(Self.program, "pause", directory) == 0) }
    func resume() { #expect(spawned(Self.program, "resume", directory) == 0) }

    var folderPath: String { directory }

    /// - Parameter host: the folder of the socket; nil for the server's own.
    func url(password: String = PostgresServer.password, host: String? = nil) -> String {
        "postgresql://relay:\(password)@/postgres?host=\(host ?? directory)"
    }

    func rows(_ sql: String) throws -> [[String?]] {
        let address = try PostgresStore.address(url())
        return try PostgresConnection.open(address, .init(connectSeconds: 10, statementMilliseconds: 10_000)).run(sql)
    }
}

private func finish(_ store: PostgresStore) { while store.advance() == 20 {} }

@Suite(.timeLimit(.minutes(10)), .serialized) struct PostgresStoreTests {
    private static func store(
        _ server: PostgresServer,
        days: Int = 90,
        steps: [String] = UsageSchema.postgresSteps,
        _ patience: PostgresConnection.Patience = .init(connectSeconds: 30, statementMilliseconds: 60_000)
    ) throws -> PostgresStore {
        try PostgresStore(url: server.url(), days: days, patience, steps: steps, noLog)
    }

    /// Writes records with retries, as a queue does, because any machine may be slow.
    private static func keepWriting(_ records: [UsageRecord], to store: PostgresStore) throws {
        for _ in 0..<20 {
            do { return try store.writeAll(records) } catch { continue }
        }
        try store.writeAll(records)
    }

    @Test("one server: rows, several relays, upgrade, retention, outages")
    func everything() throws {
        let server = PostgresServer()
        try Self.hasRows(server)
        try Self.isShared(server)
        try Self.upgrades(server)
        try Self.addsSums(server)
        try Self.forgets(server)
        try Self.comesBack(server)
        try Self.hangs(server)
        try Self.keepsPasswords(server)
        try Self.writesOnce(server)
        try Self.takesOtherEncodings(server)
        try Self.keepsBodies(server)
        try Self.createsIndexes(server)
    }

    private static func createsIndexes(_ server: PostgresServer) throws {
        try createsIndex(server, "relay_usage_failed", for: "(status = 429) AND (NOT success)")
        try createsIndex(server, "relay_usage_session", for: "(session = 'a')")
    }

    /// Tests that an index is created in the background, and again after a server that ended meanwhile.
    private static func createsIndex(_ server: PostgresServer, _ name: String, for condition: String) throws {
        let state = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('\(name)')"
        let changes = [
            "DROP INDEX IF EXISTS \(name)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\(name)'::regclass",
        ]
        for change in changes {
            _ = try server.rows(change)
            #expect(try server.rows(state) != [["t"]])
            let (first, second) = (try store(server), try store(server))
            // The test ends with its time limit if the index is not created.
            while try server.rows(state) != [["t"]] { for store in [first, second] { _ = store.advance() } }
            for store in [first, second] { store.end() }
        }
        let plan = try server.rows(
            "SET enable_seqscan = off; EXPLAIN SELECT number FROM relay_usage WHERE time >= 5 AND kind = 0 AND \(condition)"
        )
        #expect(plan.joined().contains { $0?.contains(name) == true })
    }

    /// Tests the upgrade of sums by all fields alone.
    private static func addsSums(_ server: PostgresServer) throws {
        _ = try server.rows("CREATE SCHEMA fewer; ALTER ROLE relay SET search_path = fewer")
        let connection = try PostgresConnection.open(
            try PostgresStore.address(server.url()),
            .init(connectSeconds: 10, statementMilliseconds: 10_000)
        )
        try PostgresSchema(connection, steps: Array(UsageSchema.postgresSteps.prefix(3))).upgrade()
        let names =
            "time,kind,request_id,prompt_tokens,completion_tokens,estimated,duration_ms,attempts,stream,cached,success"
        _ = try connection.run(
            """
            INSERT INTO relay_usage (process,number,\(names)) VALUES (7,0,\(Timestamp.now()),0,'r',1,2,false,3,1,false,false,true);
            INSERT INTO relay_usage_process VALUES (7, 0, 0)
            """
        )
        let store = try store(server)
        try store.writeAll([request(1)])
        finish(store)
        let found = try server.rows("SELECT omitted, sum(requests) FROM relay_usage_sums GROUP BY 1 ORDER BY 1")
        #expect(found == [["0", "2"], ["3", "2"], ["5", "2"], ["6", "2"], ["9", "2"], ["10", "2"], ["12", "2"]])
        _ = try server.rows("ALTER ROLE relay RESET search_path")
    }

    private static func keepsBodies(_ server: PostgresServer) throws {
        let budget = BodyBudget(.unbounded())
        let records = (0..<40).map { number in
            var record = number % 2 == 0 ? requestWithCall(number) : request(number)
            record.limits = "chat: 60 requests per minute"
            guard number % 3 > 0 else { return FinishedRequest(record) }
            let bodies = KeptBodies(limitBytes: 200_000, budget)
            bodies.keep(request: "request \(number) \"\\\u{e4} " + String(repeating: "x", count: 100_000))
            return FinishedRequest(record, bodies: bodies)
        }
        let store = try store(server)
        try store.writeAll(records)
        let reader = try PostgresRecords(url: server.url())
        let page = try reader.page(RecordQuery(), until: .distantFuture)
        for row in page.records {
            let number = Int(row.request.requestID.dropFirst(8)) ?? 0
            let found = try reader.request(row.id, until: .distantFuture)
            #expect(found?.requestBody?.hasPrefix("request \(number) \"\\\u{e4} x") == (number % 3 > 0 ? true : nil))
            #expect(found?.responseBody == nil && row.request.limits == "chat: 60 requests per minute")
        }
        #expect(try server.rows("SELECT count(*) FROM relay_usage_bodies") == [["26"]])
        var rest = page.records
        while !rest.isEmpty {
            _ = try store.delete(rest.map(\.id))
            rest = try reader.page(RecordQuery(), until: .distantFuture).records
        }
        #expect(try server.rows("SELECT count(*) FROM relay_usage_bodies") == [["0"]])
        _ = try server.rows("TRUNCATE relay_usage, relay_usage_bodies, relay_usage_sums, relay_usage_hours")
    }

    private static func hasRows(_ server: PostgresServer) throws {
        #expect(try PostgresReading.summary(url: server.url(), UsageReportQuery(by: .key, days: 1)) == nil)
        try store(server, days: 0).writeAll([request(1, at: 1_790_000_000_123, cost: 1_500), call(1, at: 5)])
        let found = try server.rows(
            "SELECT \(recordColumns.joined(separator: ",")) FROM relay_usage ORDER BY number"
        )
        #expect(
            found == [
                [
                    "1790000000123", "0", "request-1", "/v1/chat/completions", "team", "fast", "big/model:1", "row",
                    nil,
                    "20", "30", "f", "1500", nil, "812", "1", "f", "f", "t", "200", nil, nil, "0", "0", nil,
                    nil, "f", "0", "0", "0", nil, nil, nil, nil, nil,
                ],
                [
                    "5", "1", "request-1", "/v1/chat/completions", "team", "fast", nil, "row", "k1", "5", "0", "t", nil,
                    "7", "0", "0", "f", "f", "f", "500", "it said \"no\" \\ \u{e4}\u{1f600}", nil, nil, nil, nil,
                    nil, "f", "0", "0", "0", nil, nil, nil, nil, nil,
                ],
            ]
        )
        let odd = ["", "a\0b", "NULL", "{a,b}", "\\\"", "a\nb\u{7f}"]
        try store(server).writeAll(odd.enumerated().map { request(100 + $0, model: $1) })
        let models = try server.rows(
            "SELECT model FROM relay_usage WHERE request_id LIKE 'request-10_' ORDER BY number"
        )
        #expect(models == [[""], ["a?b"], ["NULL"], ["{a,b}"], ["\\\""], ["a\nb\u{7f}"]])
        let joined = try store(server)
        for number in 0..<2 { try joined.writeAll([requestWithCall(200 + number), request(300 + number)]) }
        let kinds = try server.rows(
            "SELECT request_id, kind, key, attempts FROM relay_usage WHERE request_id ~ '-[23]0.$' ORDER BY number"
        )
        #expect(
            kinds == [
                ["request-200", "0", nil, "1"], ["request-200", "1", "k1", "0"], ["request-300", "0", nil, "1"],
                ["request-201", "0", nil, "1"], ["request-201", "1", "k1", "0"], ["request-301", "0", nil, "1"],
            ]
        )
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func isShared(_ server: PostgresServer) throws {
        let stores = try (0..<3).map { _ in try store(server) }
        for number in 0..<30 { try stores[number % 3].writeAll([request(number)]) }
        let found = try server.rows("SELECT count(*), count(DISTINCT process) FROM relay_usage")
        #expect(found == [["30", "3"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    /// Tests upgrades, in schemas of their own.
    private static func upgrades(_ server: PostgresServer) throws {
        _ = try server.rows("CREATE SCHEMA older; ALTER ROLE relay SET search_path = older")
        try store(server).writeAll([request(1)])
        let more = UsageSchema.postgresSteps + ["ALTER TABLE relay_usage ADD COLUMN more integer DEFAULT 7"]
        #expect(throws: UsageFailure.self) {
            try store(server, steps: more + ["ALTER TABLE nothing ADD x integer"]).writeAll([request(2)])
        }
        try store(server, steps: more).writeAll([request(2)])
        #expect(
            try server.rows("SELECT request_id, more FROM relay_usage ORDER BY 1") == [
                ["request-1", "7"], ["request-2", "7"],
            ]
        )
        let failure = #expect(throws: UsageFailure.self) { try store(server).writeAll([request(3)]) }
        #expect(
            failure?.cause.contains(
                "a newer relay created the tables (schema \(UsageSchema.postgresSteps.count + 1); this relay supports \(UsageSchema.postgresSteps.count))"
            ) == true
        )
        _ = try server.rows("ALTER ROLE relay RESET search_path")
    }

    private static func forgets(_ server: PostgresServer) throws {
        let day = 86_400_000
        let old = (0..<6_000).map { request($0, at: Timestamp.now() - 91 * day) }
        try store(server, days: 0).writeAll(old)
        let store = try store(server)
        for number in 0..<3 { try store.writeAll([request(number)]) }
        #expect(try server.rows("SELECT count(*) FROM relay_usage") == [["3"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func comesBack(_ server: PostgresServer) throws {
        let store = try store(server)
        try store.writeAll([request(1)])
        server.stop()
        for _ in 0..<2 { #expect(throws: UsageFailure.self) { try store.writeAll([request(2)]) } }
        server.start()
        try store.writeAll([request(2)])
        #expect(
            try server.rows("SELECT request_id FROM relay_usage ORDER BY number") == [["request-1"], ["request-2"]]
        )
        _ = try server.rows("TRUNCATE relay_usage")
    }

    /// Tests that records which the server received before it hung are not stored twice.
    private static func hangs(_ server: PostgresServer) throws {
        let store = try store(server, .init(connectSeconds: 2, statementMilliseconds: 1_000))
        try keepWriting([request(1)], to: store)
        server.pause()
        let records = (2..<500).map { request($0) }
        let failure = #expect(throws: UsageFailure.self) { try store.writeAll(records) }
        #expect(failure?.cause == "the server did not respond within 1000 ms")
        #expect(throws: UsageFailure.self) { try store.writeAll(records) }
        server.resume()
        try keepWriting(records, to: store)
        let found = try server.rows("SELECT count(*), count(DISTINCT request_id) FROM relay_usage")
        #expect(found == [["499", "499"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func keepsPasswords(_ server: PostgresServer) throws {
        for url in [
            server.url(password: "wrong-pass-word"), "postgresql://relay:wrong-pass-word@127.0.0.1:1/postgres",
            "postgresql://relay@/postgres?host=/nowhere&password=wrong-pass-word",
        ] {
            let store = try PostgresStore(url: url, days: 0, .init(), steps: UsageSchema.postgresSteps, noLog)
            let failure = #expect(throws: UsageFailure.self) { try store.writeAll([request(1)]) }
            #expect(failure?.cause.contains("wrong-pass") == false && failure?.cause.isEmpty == false)
        }
        let failure = #expect(throws: UsageFailure.self) { try PostgresStore.address("postgresql://a:wrong%zz@host/b") }
        #expect(failure?.cause.contains("wrong") == false)
    }

    /// Tests a commit whose response is lost with the connection: the first rows are already stored.
    private static func writesOnce(_ server: PostgresServer) throws {
        let records = (0..<1_000).map { request($0) }
        let store = try store(server)
        try store.writeAll(Array(records[..<10]))
        let columns = UsageColumn.stored.names
        _ = try server.rows(
            "INSERT INTO relay_usage (process,number,\(columns)) SELECT process, number + 10, \(columns) FROM relay_usage"
        )
        try store.writeAll(Array(records[10...]))
        #expect(try server.rows("SELECT count(*) FROM relay_usage") == [["1000"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func takesOtherEncodings(_ server: PostgresServer) throws {
        _ = try server.rows("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        let url = server.url().replacing("/postgres?", with: "/latin?")
        let store = try PostgresStore(url: url, days: 0, .init(), steps: UsageSchema.postgresSteps, noLog)
        try store.writeAll([request(1, model: "m\u{1f600}")])
        let summary = try PostgresReading.summary(url: url, UsageReportQuery(by: .model, days: 1))
        #expect(summary?.rows.map(\.name) == ["m????"])
    }
}

/// Tests of the sums of a PostgreSQL database.
@Suite(.timeLimit(.minutes(5)), .serialized) struct PostgresSumsTests {
    private static func checked(
        _ server: PostgresServer,
        _ store: PostgresStore,
        _ zone: DayZone = .utc
    ) throws -> CheckedStore {
        CheckedStore(
            name: "postgres",
            source: try PostgresRecords(url: server.url(), patience),
            zone: zone,
            write: { records in
                try store.writeAll(records)
            },
            delete: { try store.delete($0) },
            summary: { try PostgresReading.summary(url: server.url(), $0) }
        )
    }

    private static let patience = PostgresConnection.Patience(connectSeconds: 30, statementMilliseconds: 60_000)

    private static func store(_ server: PostgresServer, _ zone: DayZone = .utc, days: Int = 0) throws -> PostgresStore {
        try PostgresStore(
            url: server.url(),
            days: days,
            zone: zone,
            patience,
            steps: UsageSchema.postgresSteps,
            noLog
        )
    }

    @Test("one server: sums, lists and the command line agree; older rows, zones, lost answers, retention")
    func everything() throws {
        let server = PostgresServer()
        var agreement = UsageAgreement(try Self.checked(server, try Self.store(server)), seed: 3)
        try agreement.run(requests: checkedRequests)
        try Self.empty(server)
        try Self.sumsOlderRows(server)
        try Self.empty(server)
        try Self.changesZone(server)
        try Self.empty(server)
        try Self.forgets(server)
        try Self.empty(server)
        try Self.losesAnswers(server, batches: getenv("BATCHES").flatMap { Int(String(cString: $0)) } ?? 20)
    }

    private static func empty(_ server: PostgresServer) throws {
        _ = try server.rows("TRUNCATE relay_usage, relay_usage_sums, relay_usage_hours, relay_usage_process")
    }

    private static func sum(_ checked: CheckedStore) throws -> UsageTable {
        try checked.source.table(UsageQuery(by: [.day]), until: .distantFuture)
    }

    /// Tests sums with two older relays. The first one continues to write.
    private static func sumsOlderRows(_ server: PostgresServer) throws {
        let now = Timestamp.now()
        let first = try store(server)
        let writer = try checked(server, first)
        try writer.write((0..<5_000).map { request($0, at: now - 86_400_000 + $0, cost: 3) })
        _ = try server.rows(
            "UPDATE relay_usage SET process = number % 2; TRUNCATE relay_usage_sums, relay_usage_hours, relay_usage_process"
        )
        let second = try store(server)
        let checked = try checked(server, second)
        try checked.write([request(1, at: now)])
        _ = second.advance()
        #expect(try sum(checked).isPartial)
        let question = UsageReportQuery(by: .key, days: 3)
        #expect(try PostgresReading.summary(url: server.url(), question)?.total.requests == 5_001)
        let columns = UsageColumn.stored.names
        _ = try server.rows(
            "INSERT INTO relay_usage (process,number,\(columns)) SELECT process, number + 100000, \(columns) FROM relay_usage WHERE process = 0 LIMIT 10"
        )
        finish(second)
        let whole = try sum(checked)
        #expect(!whole.isPartial && whole.sum.requests == 5_011)
        #expect(try PostgresReading.summary(url: server.url(), question)?.total == whole.sum)
        // The older relay may have deleted rows, so all sums are computed again at the next start.
        _ = try server.rows("DELETE FROM relay_usage WHERE number >= 100000")
        finish(try store(server))
        #expect(try sum(checked).sum.requests == 5_001)
        let hours = try server.rows("SELECT omitted, sum(requests) FROM relay_usage_hours GROUP BY 1 ORDER BY 1")
        #expect(hours == [["9", "5001"], ["11", "5001"], ["13", "5001"], ["15", "5001"]])
    }

    private static func changesZone(_ server: PostgresServer) throws {
        let zone = DayZone(named: "Pacific/Kiritimati")
        let (old, new) = (try store(server), try store(server, zone))
        let writer = try checked(server, old)
        try writer.write((0..<50).map { request($0, at: Timestamp.now() - $0 * 3_600_000) })
        let checked = try checked(server, new, zone)
        try checked.write([request(50)])
        // The other relay follows.
        try writer.write([request(51)])
        finish(new)
        let table = try sum(checked)
        #expect(table.sum.requests == 52 && table.rows.last?.values == [zone.today.text])
        #expect(
            try server.rows("SELECT sum(requests) FROM relay_usage_sums WHERE day = \(zone.today.number)") != [["0"]]
        )
        finish(try store(server))
    }

    private static func forgets(_ server: PostgresServer) throws {
        let now = Timestamp.now()
        let checked = try checked(server, try store(server))
        try checked.write((0..<6_000).map { request($0, at: now - 3 * 86_400_000 + $0) })
        let store = try store(server, days: 2)
        try Self.checked(server, store).write([request(1, at: now)])
        for _ in 0..<4 { _ = store.advance() }
        let table = try sum(checked)
        #expect(table.sum.requests == 1 && table.rows.count == 1)
        #expect(try server.rows("SELECT count(*) FROM relay_usage_sums") == [["\(SumsTable.days.omissions.count)"]])
        #expect(try server.rows("SELECT count(*) FROM relay_usage_hours") == [["\(SumsTable.hours.omissions.count)"]])
    }

    /// Tests connections that end between each second COMMIT and its response.
    private static func losesAnswers(_ server: PostgresServer, batches: Int) throws {
        let relay = try CuttingRelay(to: "\(server.folderPath)/.s.PGSQL.5432")
        let store = try PostgresStore(
            url: server.url(host: relay.folder),
            days: 0,
            patience,
            steps: UsageSchema.postgresSteps,
            noLog
        )
        defer { relay.end() }
        var cuts = 0
        for number in 0..<batches {
            let requests = finished((0..<3).flatMap { [request(10 * number + $0, cost: 7), call(10 * number + $0)] })
            relay.cut()
            while true {
                do {
                    #expect(try store.write(requests[...]) == requests.count)
                    break
                } catch { cuts += 1 }
            }
        }
        let table = try sum(try checked(server, store))
        #expect(cuts >= batches && table.sum.requests == 3 * batches)
        #expect(table.sum.costPicodollars == Int128(21 * batches))
        #expect(try server.rows("SELECT count(*) FROM relay_usage") == [["\(6 * batches)"]])
        #expect(
            try server.rows("SELECT DISTINCT sum(calls) FROM relay_usage_sums GROUP BY omitted") == [["\(3 * batches)"]]
                && server.rows("SELECT DISTINCT sum(calls) FROM relay_usage_hours GROUP BY omitted") == [
                    ["\(3 * batches)"]
                ]
        )
    }
}

/// A socket between a relay and PostgreSQL. After `cut`, it ends the next connection that sent an INSERT, when the
/// server has executed it and before the response is forwarded.
///
/// `@unchecked`: the descriptors are constant, and a lock protects the flag.
private final class CuttingRelay: @unchecked Sendable {
    let folder: String
    private let temporary = TemporaryFolder()
    private let listener: Int32
    private let target: String
    private let mayCut = Lock(false)
    private let threads = Worker(bound: 1_000)

    init(to target: String) throws {
        folder = temporary.path
        self.target = target
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #expect(Self.withAddress("\(folder)/.s.PGSQL.5432") { bind(listener, $0, $1) } == 0)
        #expect(listen(listener, 16) == 0)
        let serve: @Sendable () -> Void = { [self] in while self.serve() {} }
        threads.begin(serve)
    }

    /// Accepts no more connections. Its thread ends.
    func end() { shutdown(listener, Int32(SHUT_RDWR)) }

    func cut() { mayCut.withLock { $0 = true } }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// Serves one connection to its end. Returns false if there are no more.
    private func serve() -> Bool {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return false }
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(client)
            close(server)
        }
        guard Self.withAddress(target, { connect(server, $0, $1) }) == 0 else { return true }
        var room = [UInt8](repeating: 0, count: 1 << 16)
        var isInsert = false
        while true {
            var ends = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, 2, 60_000) > 0 else { return true }
            for (index, other) in [(0, server), (1, client)] where ends[index].revents != 0 {
                let count = read(ends[index].fd, &room, room.count)
                guard count > 0 else { return true }
                if index == 0, String(decoding: room[..<count], as: UTF8.self).contains("INSERT INTO relay_usage ") {
                    isInsert = true
                }
                // The server's response says that the statement is committed. It is not forwarded.
                let isCut =
                    index == 1 && isInsert
                    && mayCut.withLock { mayCut in
                        defer { mayCut = false }
                        return mayCut
                    }
                if isCut { return true }
                var sent = 0
                while sent < count {
                    let more = room.withUnsafeBytes { write(other, $0.baseAddress.map { $0 + sent }, count - sent) }
                    guard more > 0 else { return true }
                    sent += more
                }
            }
        }
    }
}
