import Engine
import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

/// Tests of the same queries to the database and to the log files.
@Suite struct UsageQueryRunnerTests {
    private let folder = TemporaryFolder()
    private static let today = Day.today
    private static let day = 86_400_000

    private var path: String { "\(folder.path)/usage.log" }

    private static let records: [UsageRecord] = {
        let now = today.secondsSince1970 * 1_000 + 1
        var failed = request(3, at: now - day, model: nil)
        failed.isSuccess = false
        return [
            request(1, at: now, cost: 123_456_789_000), request(2, at: now, cost: 9_000_000_000_000_000_000), failed,
            request(4, at: now - 40 * day, cost: 1), call(1, at: now), call(1, at: now, provider: "other"),
            call(2, at: now),
        ]
    }()

    private func summary(inFile: Bool, _ group: UsageReportQuery.Group, days: Int = 30) throws -> UsageSummary? {
        let question = UsageReportQuery(by: group, days: days)
        if inFile { return try UsageFileReading.summary(path, files: 3, question) }
        return try SQLiteReading.summary(folder: folder.path, question)
    }

    private func write(_ records: [UsageRecord], inFile: Bool, maxBytes: Int = 1 << 20) throws {
        let store: any UsageStore =
            inFile
            ? UsageFile(UsageFileSettings(path: path, maxBytes: maxBytes, files: 3))
            : SQLiteStore(folder: folder.path, days: 0, maxBytes: 1 << 30, noLog)
        try store.writeAll(records)
    }

    @Test("a cost that no request can have is not counted", arguments: ["1e27", "-1e27", "1e300", "9000001"])
    func impossibleCost(cost: String) throws {
        let file = try #require(fopen(path, "w"))
        let line = #"{"time":"\#(Self.today.text)T00:00:00Z","request_id":"r","success":true,"cost":\#(cost)}"#
        fputs(line + "\n", file)
        fclose(file)
        #expect(try summary(inFile: true, .model)?.total.requests == 1)
        #expect(try summary(inFile: true, .model)?.total.costPicodollars == nil)
    }

    @Test("sums by model, key, day and provider", arguments: [false, true])
    func sums(inFile: Bool) throws {
        #expect(try summary(inFile: inFile, .model) == nil)
        try write(Self.records, inFile: inFile)
        let byModel = try #require(try summary(inFile: inFile, .model))
        #expect(byModel.rows.map(\.name) == ["fast", nil])
        #expect(byModel.rows.map(\.figures.requests) == [2, 1] && byModel.rows.map(\.figures.failed) == [0, 1])
        #expect(byModel.rows.map(\.figures.dollars) == ["9000000.123456789", nil])
        #expect(byModel.total.promptTokens == 60 && byModel.total.completionTokens == 90)
        #expect(
            byModel.total.requests == 3 && byModel.total.failed == 1 && byModel.total.dollars == "9000000.123456789"
        )
        #expect(try summary(inFile: inFile, .key)?.rows.map(\.name) == ["team"])
        let days = [Self.today.adding(days: -1).text, Self.today.text]
        #expect(try summary(inFile: inFile, .day)?.rows.map(\.name) == days)
        #expect(try summary(inFile: inFile, .day, days: 1)?.rows.map(\.name) == [Self.today.text])
        #expect(try summary(inFile: inFile, .day, days: 41)?.total.requests == 4)
        let byProvider = try #require(try summary(inFile: inFile, .provider))
        #expect(byProvider.rows.map(\.name) == ["row", "other"] && byProvider.rows.map(\.figures.requests) == [2, 1])
        #expect(
            byProvider.total.failed == 3 && byProvider.total.promptTokens == 15
                && byProvider.total.costPicodollars == nil
        )
    }

    @Test("sums by session are those of each caller, and of all requests without a session", arguments: [false, true])
    func sessions(inFile: Bool) throws {
        let now = Self.today.secondsSince1970 * 1_000 + 1
        let names = [("s", "a"), ("s", "a"), ("s", "b"), (nil, "a"), (nil, "b"), ("s", nil)] as [(String?, String?)]
        let records = names.map { session, caller in
            UsageRecord(
                at: now,
                .request,
                requestID: "r",
                endpoint: nil,
                caller: caller,
                model: nil,
                session: session
            )
        }
        try write(records + [call(1, at: now), request(1, at: now - 40 * Self.day)], inFile: inFile)
        let found = try #require(try summary(inFile: inFile, .session))
        let rows = found.rows.map { "\($0.name ?? "-") \($0.caller ?? "-") \($0.figures.requests)" }
        #expect(rows.sorted() == ["- - 2", "s - 1", "s a 2", "s b 1"])
        #expect(
            found.total.requests == 6 && found.total.failed == 6 && found.total.costPicodollars == nil && !found.isCut
        )
    }

    @Test("sums by end user are those of each caller, and of all requests that name none", arguments: [false, true])
    func users(inFile: Bool) throws {
        let now = Self.today.secondsSince1970 * 1_000 + 1
        let names = [("u", "a"), ("u", "a"), ("u", "b"), (nil, "a"), ("u\"\\", "b")] as [(String?, String?)]
        let records = names.map { user, caller in
            var record = UsageRecord(at: now, .request, requestID: "r", endpoint: nil, caller: caller, model: nil)
            record.endUser = user
            return record
        }
        try write(records, inFile: inFile)
        let found = try #require(try summary(inFile: inFile, .user))
        let rows = found.rows.map { "\($0.name ?? "-") \($0.caller ?? "-") \($0.figures.requests)" }
        #expect(rows.sorted() == ["- - 1", "u a 2", "u b 1", "u\"\\ b 1"])
    }

    @Test("causes that differ in a wait are one row", arguments: [false, true])
    func causes(inFile: Bool) throws {
        let now = Self.today.secondsSince1970 * 1_000 + 1
        let causes = (1...1_200).map { "v: the vendor answered 429: Limit reached. Please try again in \($0)s." }
        let records = (causes + ["budget", "budget"]).map { cause in
            UsageRecord(at: now, .request, requestID: "r", endpoint: nil, caller: "a", model: nil, error: cause)
        }
        try write(records + [request(1, at: now)], inFile: inFile)
        let found = try #require(try summary(inFile: inFile, .cause))
        let rows = found.rows.map { "\($0.name ?? "-") \($0.figures.requests)" }
        #expect(rows == ["v: the vendor answered 429: Limit reached 1200", "budget 2", "- 1"])
        #expect(found.total.requests == 1_203 && !found.isCut)
    }

    @Test("a request with its only call counts as a request and as a call, each on its day", arguments: [false, true])
    func joined(inFile: Bool) throws {
        let now = Self.today.secondsSince1970 * 1_000 + 1
        try write(
            [requestWithCall(1, at: now), requestWithCall(2, at: now, callAt: now - 2), request(3, at: now)],
            inFile: inFile
        )
        let byModel = try #require(try summary(inFile: inFile, .model, days: 1))
        #expect(byModel.rows.map(\.name) == ["fast"] && byModel.total.requests == 3 && byModel.total.failed == 0)
        #expect(byModel.total.promptTokens == 60 && byModel.total.costPicodollars == 3_000)
        let byProvider = try #require(try summary(inFile: inFile, .provider, days: 2))
        #expect(byProvider.rows.map(\.name) == ["row"] && byProvider.total.requests == 2)
        #expect(byProvider.total.promptTokens == 40 && byProvider.total.completionTokens == 60)
        #expect(byProvider.total.costPicodollars == 3_000 && byProvider.total.failed == 0)
        try write([requestWithCall(4, at: now, callAt: now)], inFile: inFile)
        #expect(try summary(inFile: inFile, .provider, days: 1)?.total.requests == 1)
    }

    @Test("sums of the largest costs are exact")
    func largeCosts() throws {
        let most = Cost.maxPicodollars
        try write((0..<5).map { request($0, cost: most - $0) }, inFile: false)
        let total = try summary(inFile: false, .key)?.total.costPicodollars
        #expect(total == Int128(most) * 5 - 10)
    }

    @Test("no more than a thousand groups are told one by one", arguments: [false, true])
    func groups(inFile: Bool) throws {
        try write(
            (0..<1_200).map { request($0, model: "model-\($0)") } + [request(1, model: "model-7")],
            inFile: inFile
        )
        let summary = try #require(try summary(inFile: inFile, .model))
        #expect(summary.rows.count == 1_000 && summary.isCut && summary.total.requests == 1_201)
        #expect(summary.rows.first?.name == "model-7")
    }

    @Test("lines of files that were replaced count too, and bad lines are passed over")
    func lines() throws {
        try write((0..<100).map { request($0) }, inFile: true, maxBytes: 20_000)
        #expect(folder.files().count == 2)
        let file = try #require(fopen(path, "a"))
        for line in [
            "", "{", "[]", "{\"time\":\"2026-01-01\"}",
            "{\"time\":\"2026-13-01T\",\"request_id\":\"a\",\"success\":true}",
            String(repeating: "x", count: 300_000), "\u{1}\u{ff}",
        ] {
            fputs(line + "\n", file)
        }
        fputs("{\"time\":\"20", file)
        fclose(file)
        let summary = try #require(try summary(inFile: true, .key))
        #expect(summary.total.requests == 100 && summary.badLines == 7)
    }

    @Test("a file in a folder where nothing can be made is read too")
    func readOnly() throws {
        try write(Self.records, inFile: false)
        chmod(folder.path, 0o500)
        defer { chmod(folder.path, 0o700) }
        #expect(try summary(inFile: false, .model)?.total.requests == 3)
    }
}
