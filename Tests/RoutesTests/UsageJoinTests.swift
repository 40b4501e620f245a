import Engine
import Testing

@testable import Routes
@testable import Shared
@testable import Upstream
@testable import UsageRecords

@Suite struct UsageJoinTests {
    /// The time at which the request ends, a second after the loop's clock began.
    private static let end = LoopTime(nanoseconds: 1_000_000_000)

    private static func request(_ change: (inout UsageRecord) -> Void = { _ in }) -> UsageRecord {
        var record = UsageRecord(
            at: 1_000,
            .request,
            requestID: "req_1",
            endpoint: "/v1/chat/completions",
            caller: "team",
            model: "caf\u{e9}"
        )
        record.modelUsed = "big/1"
        record.provider = "row"
        (record.promptTokens, record.completionTokens) = (2, 3)
        (record.isSuccess, record.status, record.attempts) = (true, 200, 1)
        change(&record)
        return record
    }

    private static func call(
        at milliseconds: Int = 999,
        _ server: Billing.Server = .init("row", name: "caf\u{e9}", model: "big/1"),
        used usage: Usage = Usage(promptTokens: 2, completionTokens: 3),
        status: Int? = 200,
        _ error: String? = nil
    ) -> CallRecord {
        CallRecord(
            endedAt: LoopTime(nanoseconds: UInt64(milliseconds) * 1_000_000),
            durationMilliseconds: 7,
            server: server,
            key: "k1",
            outcome: Bill.Outcome(.responded, usage, credits: 5, status: status, error: error)
        )
    }

    @Test("a call that has nothing else of its own goes with its request", arguments: [999, 1_000])
    func same(end: Int) {
        var record = Self.request()
        let isTaken = record.add(Self.call(at: end), at: Self.end)
        #expect(isTaken)
        let call = record.onlyCall
        #expect(record.count == 2 && call?.count == 1 && call?.timeMilliseconds == end)
        #expect(call?.durationMilliseconds == 7 && call?.attempts == 0 && record.attempts == 1)
        guard case .call("k1", 5)? = call?.subject else {
            Issue.record("another key, or other credits")
            return
        }
    }

    @Test("names that are absent are the same")
    func nameless() {
        var record = Self.request { $0.modelUsed = nil }
        let isTaken = record.add(Self.call(.init("row", name: "caf\u{e9}")), at: Self.end)
        #expect(isTaken)
    }

    @Test("a call with more of its own keeps a record of its own")
    func different() {
        let calls = [
            Self.call(.init("other", name: "caf\u{e9}", model: "big/1")),
            Self.call(.init("row", name: "cafe", model: "big/1")),
            // The same characters in other bytes.
            Self.call(.init("row", name: "cafe\u{301}", model: "big/1")),
            Self.call(.init("row", name: "caf\u{e9}", model: "big/2")), Self.call(.init("row", name: "caf\u{e9}")),
            Self.call(.init("row", model: "big/1")), Self.call(used: Usage(promptTokens: 1, completionTokens: 3)),
            Self.call(used: Usage(promptTokens: 2, completionTokens: 4)),
            Self.call(used: Usage(estimating: 2, completionTokens: 3)),
            Self.call(status: 201), Self.call(status: nil), Self.call(status: 200, "cut"),
        ]
        for call in calls {
            var record = Self.request()
            let isTaken = record.add(call, at: Self.end)
            #expect(!isTaken && record.count == 1, "\(call)")
        }
        let changes: [(inout UsageRecord) -> Void] = [
            { $0.isSuccess = false }, { $0.cost = Cost(picodollars: 1) }, { $0.modelUsed = nil },
            { $0.promptTokens = 1 },
            { $0.provider = nil }, { $0.status = nil },
        ]
        for change in changes.enumerated() {
            var record = Self.request(change.element)
            let isTaken = record.add(Self.call(), at: Self.end)
            #expect(!isTaken && record.count == 1, "change \(change.offset)")
        }
    }
}
