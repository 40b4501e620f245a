import Glibc
import Testing

@testable import Shared

/// A PostgreSQL server that a test has started; it ends with the object.
private final class PostgresServer {
    static let password = "pass-%40-of-a-test"
    private static let program =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/postgres-server"

    private let folder = TemporaryFolder()
    private let place: String

    init() {
        place = "\(folder.path)/server"
        chmod(folder.path, 0o755)
        #expect(spawned(Self.program, "init", place, "pass-@-of-a-test") == 0)
        start()
    }

    deinit { spawned(Self.program, "remove", place) }

    func start() { #expect(spawned(Self.program, "start", place) == 0) }
    func stop() { #expect(spawned(Self.program, "stop", place) == 0) }
    func pause() { #expect(spawned(Self.program, "pause", place) == 0) }
    func resume() { #expect(spawned(Self.program, "resume", place) == 0) }

    func url(password: String = PostgresServer.password) -> String {
        "postgresql://relay:\(password)@/postgres?host=\(place)"
    }

    func rows(_ sql: String) throws -> [[String?]] {
        let address = try PostgresStore.address(url())
        return try PostgresConnection.open(address, connectSeconds: 10, timeoutMilliseconds: 10_000).run(sql)
    }
}

@Suite(.timeLimit(.minutes(3)), .serialized) struct PostgresStoreTests {
    private static func store(
        _ server: PostgresServer,
        days: Int = 90,
        steps: [String] = UsageSchema.postgresSteps,
        _ patience: PostgresStore.Patience = .init(connectSeconds: 30, statementMilliseconds: 60_000)
    ) throws -> PostgresStore {
        try PostgresStore(url: server.url(), days: days, patience, steps: steps, noLog)
    }

    private static func write(_ records: [UsageRecord], to store: PostgresStore) throws {
        var rest = records[...]
        while !rest.isEmpty { rest = rest.dropFirst(try store.write(rest)) }
    }

    /// As a queue does, since any machine may be slow.
    private static func keepWriting(_ records: [UsageRecord], to store: PostgresStore) throws {
        for _ in 0..<20 {
            do { return try write(records, to: store) } catch is UsageFailure { continue }
        }
        try write(records, to: store)
    }

    @Test("one server: rows, several relays, upgrade, retention, outages")
    func everything() throws {
        let server = PostgresServer()
        try Self.hasRows(server)
        try Self.isShared(server)
        try Self.upgrades(server)
        try Self.forgets(server)
        try Self.comesBack(server)
        try Self.hangs(server)
        try Self.keepsPasswords(server)
        try Self.writesOnce(server)
        try Self.takesOtherEncodings(server)
    }

    private static func hasRows(_ server: PostgresServer) throws {
        #expect(try PostgresReading.summary(url: server.url(), UsageQuestion(by: .key, days: 1)) == nil)
        try write([request(1, at: 1_790_000_000_123, cost: 1_500), call(1, at: 5)], to: try store(server, days: 0))
        let found = try server.rows(
            "SELECT \(UsageSchema.columns.joined(separator: ",")) FROM relay_usage ORDER BY number"
        )
        #expect(
            found == [
                [
                    "1790000000123", "0", "request-1", "/v1/chat/completions", "team", "fast", "big/model:1", "row",
                    nil,
                    "20", "30", "f", "1500", nil, "812", "1", "f", "f", "t", "200", nil,
                ],
                [
                    "5", "1", "request-1", "/v1/chat/completions", "team", "fast", nil, "row", "k1", "5", "0", "t", nil,
                    "7", "0", "0", "f", "f", "f", "500", "it said \"no\" \\ \u{e4}\u{1f600}",
                ],
            ]
        )
        let odd = ["", "a\0b", "NULL", "{a,b}", "\\\"", "a\nb\u{7f}"]
        try write(odd.enumerated().map { request(100 + $0, model: $1) }, to: try store(server))
        let models = try server.rows(
            "SELECT model FROM relay_usage WHERE request_id LIKE 'request-10_' ORDER BY number"
        )
        #expect(models == [[""], ["a?b"], ["NULL"], ["{a,b}"], ["\\\""], ["a\nb\u{7f}"]])
        let joined = try store(server)
        for number in 0..<2 { try write([requestWithCall(200 + number), request(300 + number)], to: joined) }
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
        for number in 0..<30 { try write([request(number)], to: stores[number % 3]) }
        let found = try server.rows("SELECT count(*), count(DISTINCT process) FROM relay_usage")
        #expect(found == [["30", "3"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    /// Into schemas of their own.
    private static func upgrades(_ server: PostgresServer) throws {
        _ = try server.rows("CREATE SCHEMA older; ALTER ROLE relay SET search_path = older")
        try write([request(1)], to: try store(server))
        let more = UsageSchema.postgresSteps + ["ALTER TABLE relay_usage ADD COLUMN more integer DEFAULT 7"]
        #expect(throws: UsageFailure.self) {
            try write([request(2)], to: try store(server, steps: more + ["ALTER TABLE nothing ADD x integer"]))
        }
        try write([request(2)], to: try store(server, steps: more))
        #expect(
            try server.rows("SELECT request_id, more FROM relay_usage ORDER BY 1") == [
                ["request-1", "7"], ["request-2", "7"],
            ]
        )
        let failure = #expect(throws: UsageFailure.self) { try write([request(3)], to: try store(server)) }
        #expect(failure?.cause.contains("a newer relay made the tables (schema 2, this one knows 1)") == true)
        _ = try server.rows("ALTER ROLE relay RESET search_path")
    }

    private static func forgets(_ server: PostgresServer) throws {
        let day = 86_400_000
        let old = (0..<6_000).map { request($0, at: Timestamp.now() - 91 * day) }
        try write(old, to: try store(server, days: 0))
        let store = try store(server)
        for number in 0..<3 { try write([request(number)], to: store) }
        #expect(try server.rows("SELECT count(*) FROM relay_usage") == [["3"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func comesBack(_ server: PostgresServer) throws {
        let store = try store(server)
        try write([request(1)], to: store)
        server.stop()
        for _ in 0..<2 { #expect(throws: UsageFailure.self) { try store.write([request(2)]) } }
        server.start()
        try write([request(2)], to: store)
        #expect(
            try server.rows("SELECT request_id FROM relay_usage ORDER BY number") == [["request-1"], ["request-2"]]
        )
        _ = try server.rows("TRUNCATE relay_usage")
    }

    /// What it got before it hung is not there twice.
    private static func hangs(_ server: PostgresServer) throws {
        let store = try store(server, .init(connectSeconds: 2, statementMilliseconds: 1_000))
        try keepWriting([request(1)], to: store)
        server.pause()
        let records = (2..<500).map { request($0) }
        let failure = #expect(throws: UsageFailure.self) { try store.write(records[...]) }
        #expect(failure?.cause == "the server does not answer within 1000 ms")
        #expect(throws: UsageFailure.self) { try store.write(records[...]) }
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
            let failure = #expect(throws: UsageFailure.self) { try store.write([request(1)]) }
            #expect(failure?.cause.contains("wrong-pass") == false && failure?.cause.isEmpty == false)
        }
        let failure = #expect(throws: UsageFailure.self) { try PostgresStore.address("postgresql://a:wrong%zz@host/b") }
        #expect(failure?.cause.contains("wrong") == false)
    }

    /// As where a commit's answer is lost with the connection: the first of the rows are in already.
    private static func writesOnce(_ server: PostgresServer) throws {
        let records = (0..<1_000).map { request($0) }
        let store = try store(server)
        try write(Array(records[..<10]), to: store)
        _ = try server.rows(
            "INSERT INTO relay_usage SELECT process, number + 10, \(UsageSchema.columns.joined(separator: ",")) FROM relay_usage"
        )
        try write(Array(records[10...]), to: store)
        #expect(try server.rows("SELECT count(*) FROM relay_usage") == [["1000"]])
        _ = try server.rows("TRUNCATE relay_usage")
    }

    private static func takesOtherEncodings(_ server: PostgresServer) throws {
        _ = try server.rows("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        let url = server.url().replacing("/postgres?", with: "/latin?")
        let store = try PostgresStore(url: url, days: 0, .init(), steps: UsageSchema.postgresSteps, noLog)
        try write([request(1, model: "m\u{1f600}")], to: store)
        let summary = try PostgresReading.summary(url: url, UsageQuestion(by: .model, days: 1))
        #expect(summary?.rows.map(\.name) == ["m????"])
    }
}
