import Engine
import Foundation
import Limits
import Support
import Testing

@testable import Shared
@testable import Upstream

/// The figures of a bill, for every order of events.
@Suite struct BillTests {
    /// An event of a bill.
    private enum Event {
        case call(CallRecord)
        case next
        case end(Bill.Fate)
    }

    private static let priced = Billing.Server("a", price: Price("1"))
    private static let unpriced = Billing.Server("b")
    private static let ends: [String: Bill.End] = [
        "responded": .responded, "made": .made, "refused": .refused, "broke": .broke, "abandoned": .abandoned,
        "repeated": .repeated, "corrected": .corrected, "helped": .helped, "free": .free,
    ]

    private static let haveOwnPrompts: [Bill.End] = [.repeated, .corrected]

    private static func bill(_ events: some Sequence<Event>) -> Bill {
        var bill = Bill()
        for event in events {
            switch event {
            case .call(let call): bill.record(call)
            case .next: bill.beginRound()
            case .end(let fate): bill.end(fate)
            }
        }
        return bill
    }

    private static func call(
        _ end: Bill.End,
        _ usage: Usage,
        credits: Int = 0,
        status: Int? = 200,
        at server: Billing.Server = priced
    ) -> CallRecord {
        var outcome = Bill.Outcome(end, end == .refused ? .nothing : usage, status: status)
        outcome.billedCredits = credits
        return CallRecord(
            endedAt: LoopTime(nanoseconds: 1),
            durationMilliseconds: 1,
            server: server,
            key: nil,
            outcome: outcome
        )
    }

    // MARK: The table of the docs

    /// The rows of the table in docs/design/billing.md.
    private static let rows: [[String]] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let text = (try? String(contentsOf: root.appending(path: "docs/design/billing.md"), encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("|") }.dropFirst(2)
        return lines.map { $0.split(separator: "|").map { String(String($0).replacing("`", with: "").trimmed) } }
    }()

    @Test("the docs say who pays for what", arguments: rows)
    func table(row: [String]) throws {
        try #require(row.count == 4)
        let events = try row[1].split(separator: ",").map { text in
            let words = text.split(separator: " ")
            switch words.first {
            case "next": return Event.next
            case "lost": return Event.end(.lost)
            case "rejected": return Event.end(.rejected)
            default:
                let tokens = words[1].split(separator: "+").compactMap { Int($0) }
                let end = try #require(Self.ends[String(words[0])])
                return Event.call(Self.call(end, Usage(promptTokens: tokens[0], completionTokens: tokens[1])))
            }
        }
        let bill = Self.bill(events)
        let used = bill.used(of: Amounts())
        #expect(used.tokens == Int(row[2]), "\(row[0])")
        #expect(used.usd == (Int(row[3]) ?? -1) * 1_000_000, "\(row[0])")
    }

    @Test("a call that is never billed has a known cost, nothing, also if it fails", arguments: [200, 404, nil])
    func free(status: Int?) {
        for server in [Self.priced, Self.unpriced] {
            let call = Self.call(.free, .nothing, status: status, at: server)
            #expect(call.cost == .nothing)
            let costs = Self.bill([.call(call)]).costs
            #expect(costs.known == .nothing && !costs.isPartial)
        }
    }

    @Test("the table has its rows") func rowCount() { #expect(Self.rows.count == 22) }

    @Test(
        "media without a known price have no cost, and the request neither, whatever else it called",
        arguments: [
            (nil, Usage(pieces: 1, .image), nil), ("1", Usage(pieces: 1, .image), nil), ("1", .nothing, nil),
            ("each 0.04", .nothing, nil), ("each minute 0.006", Usage(pieces: 1, .image), nil),
            ("0 each minute 0.006", .nothing, nil), ("each 0.04", Usage(pieces: 1, .image), 40_000_000),
            ("1/4 each 0.04", Usage(pieces: 2, .image), 80_000_000), ("0", Usage(pieces: 1, .image), 0),
            ("each 0.002", Usage(pieces: 2, .search), 4_000_000),
            ("each minute 0.006", Usage(pieces: 1, .search), nil),
        ] as [(String?, Usage, Int?)]
    )
    func unpricedMedia(price: String?, usage: Usage, nanodollars: Int?) {
        let made = Self.call(.made, usage, at: Billing.Server("m", price: price.flatMap { Price($0) }))
        let bill = Self.bill([.call(Self.call(.refused, .nothing)), .end(.lost), .call(made)])
        #expect(made.cost?.nanodollars == nanodollars && bill.cost?.nanodollars == nanodollars)
        if usage.pieceUnit == .search, nanodollars != nil { #expect(made.bill == "2 search at 0.002") }
        // Where the price is not that of this call, limits count what was reserved.
        let counted = nanodollars ?? (price == nil ? 0 : 7)
        #expect(bill.used(of: Amounts(usd: 7)).usd == counted)
    }

    @Test("a price of a request is that of a call to the vendor, not of each model's part in it")
    func requests() {
        var listed = ListedPrice()
        (listed[.prompt], listed[.completion], listed[.request]) = ("0.000001", "0.000002", "0.005")
        let server = Billing.Server("m", price: Price(listed))
        let usage = Usage(promptTokens: 3, completionTokens: 1)
        let calls = [Self.call(.inner, usage, at: server), Self.call(.responded, usage, at: server)]
        let cost = Self.bill(calls.map(Event.call)).cost
        #expect(cost?.nanodollars == 2 * 5_000 + 5_000_000)
        #expect(
            calls.map { $0.lines.map(\.unit) } == [["prompt", "completion"], ["prompt", "completion", "request"]]
        )
    }

    // MARK: Any order

    /// The number of random bills, such as `BILLS=1000000`.
    private static let count = getenv("BILLS").flatMap { Int(String(cString: $0)) } ?? 5_000

    private static func randomCall(_ random: inout Seeded) -> CallRecord {
        let end = ends.values.sorted { "\($0)" < "\($1)" }[Int.random(in: 0..<ends.count, using: &random)]
        // Calls without output are the ones whose order matters.
        let hasOutput =
            end == .responded || end == .repeated || end == .corrected || end == .broke && Bool.random(using: &random)
        var usage = Usage(
            promptTokens: Int.random(in: 0...40, using: &random),
            completionTokens: hasOutput ? Int.random(in: 1...9, using: &random) : 0
        )
        usage.cachedTokens = Int.random(in: 0...usage.promptTokens, using: &random)
        if end == .made || end == .helped || end == .free { usage = .nothing }
        let server = Int.random(in: 0..<8, using: &random) == 0 ? unpriced : priced
        let credits = end == .refused || end == .free ? 0 : Int.random(in: 0...3, using: &random)
        return call(end, usage, credits: credits, at: server)
    }

    private static func randomEvents(_ random: inout Seeded) -> [Event] {
        (0..<Int.random(in: 1...7, using: &random)).map { _ in
            switch Int.random(in: 0..<10, using: &random) {
            case 0: .next
            case 1: .end(.lost)
            case 2: .end(.rejected)
            default: .call(randomCall(&random))
            }
        }
    }

    /// The calls for which a vendor charges: all that used something, but for those that were abandoned in a round with
    /// a refusal.
    private static func charged(_ events: [Event]) -> [CallRecord] {
        let rounds = events.split(omittingEmptySubsequences: false) { if case .next = $0 { true } else { false } }
        return rounds.flatMap { round in
            let calls = round.compactMap { if case .call(let call) = $0 { call } else { nil } }
            let isRefused = calls.contains { $0.outcome.end == .refused }
            return calls.filter { call in
                switch call.outcome.end {
                case .responded, .broke, .repeated, .corrected: true
                case .abandoned: !isRefused
                default: false
                }
            }
        }
    }

    @Test("no order of events bills too little, too much or twice")
    func anyOrder() throws {
        var random = Seeded(1)
        for number in 0..<Self.count {
            let events = Self.randomEvents(&random)
            let bill = Self.bill(events)
            let calls = events.compactMap { if case .call(let call) = $0 { call } else { nil } }
            let charged = Self.charged(events)
            let used = bill.used(of: Amounts())
            let what = "\(number): \(events)"
            // At least what any vendor reported, and at most what all did.
            let outputs = charged.reduce(0) { $0 + $1.usage.completionTokens }
            let prompts = charged.filter { !Self.haveOwnPrompts.contains($0.outcome.end) }.map(\.usage.promptTokens)
            let repeated = charged.filter { Self.haveOwnPrompts.contains($0.outcome.end) }
                .reduce(0) { $0 + $1.usage.promptTokens }
            try #require(used.tokens >= outputs + repeated + (prompts.max() ?? 0), "\(what)")
            try #require(used.tokens <= outputs + repeated + prompts.reduce(0, +), "\(what)")
            // The vendors charge each call.
            let cost = charged.filter { $0.server.price != nil }.reduce(0) { $0 + $1.usage.totalTokens }
            try #require(used.usd == cost * 1_000_000, "\(what)")
            let isPartial = calls.contains { call in
                // Media have no price per token.
                call.outcome.end == .made
                    || call.server.price == nil && call.outcome.end != .abandoned && call.usage.totalTokens > 0
                        && charged.contains { $0 === call }
            }
            try #require(!isPartial || bill.cost == nil, "\(what)")
            try #require(isPartial || bill.cost.map(\.nanodollars) ?? 0 == used.usd, "\(what)")
            // One record for each call; those that cost nothing say so.
            let records = bill.calls
            try #require(records.count == calls.count, "\(what)")
            for (record, call) in zip(records, calls) {
                let isFree = call.outcome.end == .abandoned && !charged.contains { $0 === call }
                try #require(record === call || isFree && record.usage.totalTokens == 0, "\(what)")
            }
            // The client sees no more than was used.
            try #require(bill.rejected.totalTokens <= used.tokens, "\(what)")
            try Self.checkShuffled(events, bill, &random)
        }
    }

    /// The order of calls that nothing separates does not matter.
    private static func checkShuffled(_ events: [Event], _ bill: borrowing Bill, _ random: inout Seeded) throws {
        var shuffled: [Event] = []
        var open: [Event] = []
        for event in events {
            if case .call = event {
                open.append(event)
            } else {
                shuffled += open.shuffled(using: &random) + [event]
                open = []
            }
        }
        let other = Self.bill(shuffled + open.shuffled(using: &random))
        try #require(other.used(of: Amounts()) == bill.used(of: Amounts()) && other.cost == bill.cost)
        let (one, two) = (other.rejected, bill.rejected)
        try #require(one.totalTokens == two.totalTokens && one.cachedTokens == two.cachedTokens)
    }
}
