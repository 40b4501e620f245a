import Engine
import Glibc
import Testing

@testable import Shared
@testable import UsageRecords

/// A generator of random requests of some days: successful, failed, cached, with one call, several after failures, or
/// those of a panel.
struct RandomUsage {
    private var random: SeededNumbers
    private let now = Timestamp.now()

    init(seed: UInt64) { random = SeededNumbers(seed) }

    private static let callers: [String?] = ["team", "ops", "d4f0aa", nil, "T\u{e9}am 100%_\\"]
    private static let models: [String?] = ["fast", "big/model:1", "panel", "", nil, "it's \"odd\""]
    private static let providers = ["row", "groq-1", "openai"]
    private static let sessions: [String?] = ["s1", "it's", nil, nil]
    private static let endpoints: [String?] = ["/chat/completions", "/embeddings", nil]
    static let keywords = [
        "ROW", "500: 1", "100%", "_", "\\", "req_7", "t's \"", "t\u{e9}AM", "T\u{c9}AM",
    ]

    /// Returns the records of requests, each followed by those of its calls, as queues get them.
    mutating func requests(_ count: Int, days: Int = 6) -> [UsageRecord] {
        var time = now - days * 86_400_000
        return (0..<count).flatMap { number in
            time += random.below(2 * days * 86_400_000 / count)
            return records(number, at: min(time, now))
        }
    }

    private mutating func records(_ number: Int, at time: Int) -> [UsageRecord] {
        var request = UsageRecord(
            at: time,
            .request,
            requestID: "req_\(number)_\(random.below(1 << 40))",
            endpoint: random.one(of: Self.endpoints),
            caller: random.one(of: Self.callers),
            model: random.one(of: Self.models),
            session: random.one(of: Self.sessions)
        )
        request.durationMilliseconds = random.below(20_000)
        request.firstByteMilliseconds = random.one(of: [nil, random.below(2_000)])
        let kind = random.below(10)
        let calls = kind < 2 ? 0 : kind < 7 ? 1 : 2 + random.below(4)
        let made = (0..<calls).map { _ in call(of: request) }
        request.isSuccess = random.below(8) > 0
        request.status = request.isSuccess ? 200 : random.one(of: [400, 402, 429, 500, 502, 499])
        request.error = request.isSuccess ? nil : "the vendor answered 500: \(random.below(50))"
        request.isCached = kind == 0
        request.isRebuilt = made.contains { $0.isRebuilt }
        request.provider = made.last?.provider
        request.attempts = calls
        request.promptTokens = made.reduce(0) { $0 + $1.promptTokens }
        request.completionTokens = made.last?.completionTokens ?? 0
        request.usage.cachedTokens = made.reduce(0) { $0 + $1.usage.cachedTokens }
        request.usage.cacheWriteTokens = made.last?.usage.cacheWriteTokens ?? 0
        request.usage.longCacheWriteTokens = made.last?.usage.longCacheWriteTokens ?? 0
        request.cost = made.contains { $0.cost == nil } ? nil : made.reduce(Cost.nothing) { $0 + ($1.cost ?? .nothing) }
        if calls == 1, request.isSuccess, request.model == "fast" {
            request.subject = .requestWithCall(
                .init(at: time - random.below(90_000), durationMilliseconds: 7, key: "k1", credits: nil)
            )
            return [request]
        }
        return [request] + made
    }

    private mutating func call(of request: UsageRecord) -> UsageRecord {
        var call = UsageRecord(
            at: request.timeMilliseconds - random.below(90_000),
            .call(key: random.one(of: ["k1", nil]), credits: nil),
            requestID: request.requestID,
            endpoint: request.endpoint,
            caller: request.caller,
            model: request.model == "panel" ? "fast" : request.model
        )
        call.provider = random.one(of: Self.providers)
        call.promptTokens = random.below(5_000)
        call.completionTokens = random.below(900)
        call.isEstimated = random.below(5) == 0
        call.usage.cachedTokens = random.below(2) * random.below(3_000)
        call.usage.cacheWriteTokens = random.below(2) * random.below(2_000)
        call.usage.longCacheWriteTokens = random.below(2) * call.usage.cacheWriteTokens
        call.usage.serviceTier = random.one(of: [nil, nil, .flex, .fast])
        call.usage.toolUses[.webSearch] = random.below(3)
        if random.below(2) == 0 { call.bill = StoredBill("5 prompt at 0.000001; 2 web_search at 0.01") }
        call.cost = random.below(6) == 0 ? nil : Cost(picodollars: random.below(1 << 50))
        call.isRebuilt = random.below(5) == 0
        call.isSuccess = random.below(4) > 0
        call.status = call.isSuccess ? 200 : random.one(of: [500, 429, nil])
        call.error = call.isSuccess ? nil : "broke"
        return call
    }

    mutating func filter() -> RecordFilter {
        var filter = RecordFilter()
        if random.below(2) == 0 { filter[.caller] = random.one(of: Self.callers) }
        if random.below(3) == 0 { filter[.model] = random.one(of: Self.models) }
        if random.below(3) == 0 { filter[.provider] = random.one(of: Self.providers) }
        if random.below(4) == 0 { filter[.endpoint] = random.one(of: Self.endpoints) }
        if random.below(4) == 0 { filter.session = random.one(of: Self.sessions) }
        if random.below(2) == 0 {
            let outcomes: [RecordFilter.Outcome] = [.completed, .failed, .failure, .refusal, .clientError]
            filter.outcome = random.one(of: outcomes + [.status(429), .status(200)])
        }
        if random.below(3) == 0 { filter.fromMilliseconds = now - random.below(6 * 86_400_000) }
        if random.below(3) == 0 { filter.toMilliseconds = now - random.below(6 * 86_400_000) }
        if random.below(6) == 0 { filter.minCost = Cost(picodollars: random.below(1 << 51)) }
        if random.below(6) == 0 { filter.minDurationMilliseconds = random.below(20_000) }
        if random.below(4) == 0 {
            filter.keywords = random.one(of: Self.keywords)
        }
        return filter
    }

    mutating func one<Value>(of values: [Value]) -> Value { random.one(of: values) }
}

/// A small generator that gives the same numbers for the same seed.
struct SeededNumbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(max(1, bound)))
    }

    mutating func one<Value>(of values: [Value]) -> Value { values[below(values.count)] }
}

/// A store of records, as the checks below use it.
struct CheckedStore {
    let name: String
    let source: any RecordSource
    let zone: DayZone
    let write: ([UsageRecord]) throws -> Void
    let delete: ([RecordID]) throws -> Int
    /// The result of the command line; nil if it does not read this store.
    var summary: ((UsageReportQuery) throws -> UsageSummary?)?
}

/// A comparison of a store's results with plain sums of the records that it was given.
struct UsageAgreement {
    private let checked: CheckedStore
    private var random: RandomUsage
    /// The requests with their calls.
    private var kept: [[UsageRecord]] = []

    init(_ checked: CheckedStore, seed: UInt64) {
        self.checked = checked
        random = RandomUsage(seed: seed)
    }

    private static let end = LoopTime.distantFuture

    mutating func run(requests count: Int) throws {
        let requests = finished(random.requests(count))
        kept = requests.map { [$0.record] + $0.calls }
        var rest = requests[...]
        while !rest.isEmpty {
            let batch = rest.prefix(random.one(of: [1, 7, 100, 700]))
            try checked.write(batch.flatMap { [$0.record] + $0.calls })
            rest = rest.dropFirst(batch.count)
        }
        try checkSums()
        try checkKeywords()
        try checkMinutes()
        try checkTimelines(40)
        try checkPages(40)
        try delete(count / 20)
        try checkSums()
        try checkTimelines(20)
        try checkPages(10)
    }

    private mutating func delete(_ count: Int) throws {
        var query = RecordQuery()
        query.recordsPerPage = 100
        query.page = 2
        let found = try checked.source.page(query, until: Self.end).records.prefix(count)
        #expect(
            try checked.delete(found.map(\.id) + [.number(1), .triple(time: 1, process: 2, number: 3)]) == found.count
        )
        let gone = Set(found.map(\.request.requestID))
        kept.removeAll { gone.contains($0[0].requestID) }
        #expect(try found.first.flatMap { try checked.source.request($0.id, until: Self.end) }?.record.id == nil)
    }

    // MARK: Sums

    private func checkSums() throws {
        let zone = checked.zone
        for dimensions in [
            [.day], [.model], [.caller, .day], [.provider], [.endpoint, .provider, .day], [.day, .model, .caller],
            [.model, .provider], [.provider, .caller], [.endpoint, .model], [.caller, .endpoint],
            [.caller, .provider, .model], [.model, .endpoint, .caller],
        ]
            as [[UsageQuery.Dimension]]
        {
            for (first, last) in [(nil, nil), (zone.today.adding(days: -3), zone.today.adding(days: -1))]
                as [(Day?, Day?)]
            {
                let query = UsageQuery(by: dimensions, from: first, to: last)
                let table = try checked.source.table(query, until: Self.end)
                let expected = expected(query)
                #expect(!table.isPartial && !table.isCut, "\(checked.name) \(dimensions)")
                let found = Dictionary(uniqueKeysWithValues: table.rows.map { ($0.values, $0.figures) })
                #expect(found == expected, "\(checked.name) \(dimensions) \(first?.text ?? "-")")
                #expect(
                    table.sum == expected.values.reduce(into: UsageFigures()) { $0 += $1 },
                    "\(checked.name) \(dimensions)"
                )
            }
        }
        for dimensions in [[.day], [.day, .model], [.endpoint, .provider]] as [[UsageQuery.Dimension]] {
            let query = UsageQuery(by: dimensions, caller: "team")
            let table = try checked.source.table(query, until: Self.end)
            #expect(table.sum == expected(query).values.reduce(into: UsageFigures()) { $0 += $1 })
        }
        guard let summary = checked.summary else { return }
        for (group, dimension) in [(.key, .caller), (.model, .model), (.provider, .provider), (.day, .day)]
            as [(UsageReportQuery.Group, UsageQuery.Dimension)]
        {
            let found = try #require(try summary(UsageReportQuery(by: group, days: 30)))
            let expected = expected(UsageQuery(by: [dimension]))
            #expect(
                found.total == expected.values.reduce(into: UsageFigures()) { $0 += $1 },
                "\(checked.name) \(group)"
            )
            #expect(Dictionary(uniqueKeysWithValues: found.rows.map { ([$0.name], $0.figures) }) == expected)
        }
        checkSessions(try #require(try summary(UsageReportQuery(by: .session, days: 30))))
    }

    /// Checks the sums of the command line by session.
    private func checkSessions(_ summary: UsageSummary) {
        var expected: [[String?]: UsageFigures] = [:]
        for request in kept.map({ $0[0] }) {
            var figures = UsageFigures()
            figures.requests = 1
            figures.failed = request.isSuccess ? 0 : 1
            figures.promptTokens = request.promptTokens
            figures.completionTokens = request.completionTokens
            figures.costPicodollars = request.cost.map { Int128($0.picodollars) }
            figures.cachedTokens = request.usage.cachedTokens
            figures.cacheWrites = request.usage.cacheWriteTokens
            figures.longCacheWrites = request.usage.longCacheWriteTokens
            figures.unpriced = request.provider != nil && request.cost == nil ? 1 : 0
            figures.failures = hasFailed(request) ? 1 : 0
            figures.refusals = request.status == 429 && request.provider == nil ? 1 : 0
            let names = request.session == nil ? [nil, nil] : [request.session, request.caller]
            expected[names, default: UsageFigures()] += figures
        }
        let found = summary.rows.map { ([$0.name, $0.caller], $0.figures) }
        #expect(Dictionary(uniqueKeysWithValues: found) == expected, "\(checked.name)")
        #expect(summary.total == expected.values.reduce(into: UsageFigures()) { $0 += $1 }, "\(checked.name)")
    }

    private func hasFailed(_ record: UsageRecord) -> Bool {
        switch record.status {
        case 500, 502: !record.isSuccess
        case 402, 429: !record.isSuccess && record.provider != nil
        default: false
        }
    }

    private func expected(_ query: UsageQuery) -> [[String?]: UsageFigures] {
        var sums: [[String?]: UsageFigures] = [:]
        for record in kept.joined().flatMap({ [$0, $0.onlyCall].compactMap(\.self) })
        where record.isOfRequest != query.countsCalls && (query.caller == nil || query.caller == record.caller) {
            let day = checked.zone.day(atMilliseconds: record.timeMilliseconds)
            guard query.first.map({ $0 <= day }) ?? true, query.last.map({ day <= $0 }) ?? true else { continue }
            let values = query.dimensions.map { dimension in
                let value: String? =
                    switch dimension {
                    case .day: day.text
                    case .model: record.model
                    case .caller: record.caller
                    case .provider: record.provider
                    case .endpoint: record.endpoint
                    }
                return value == "" ? nil : value
            }
            var figures = UsageFigures()
            figures.requests = 1
            figures.failed = record.isSuccess ? 0 : 1
            figures.promptTokens = record.promptTokens
            figures.completionTokens = record.completionTokens
            figures.costPicodollars = record.cost.map { Int128($0.picodollars) }
            figures.cachedTokens = record.usage.cachedTokens
            figures.cacheWrites = record.usage.cacheWriteTokens
            figures.longCacheWrites = record.usage.longCacheWriteTokens
            figures.unpriced = record.provider != nil && record.cost == nil ? 1 : 0
            figures.failures = hasFailed(record) ? 1 : 0
            figures.refusals = record.status == 429 && record.provider == nil ? 1 : 0
            sums[values, default: UsageFigures()] += figures
        }
        return sums
    }

    // MARK: Pages

    private mutating func checkPages(_ count: Int) throws {
        for _ in 0..<count {
            var query = RecordQuery()
            query.filter = random.filter()
            query.recordsPerPage = random.one(of: [1, 10, 200])
            query.order = random.one(of: [.id, .id, .promptTokens, .caller, .cost])
            query.isDescending = random.one(of: [true, true, false])
            let search = query.filter.keywords.map { KeywordSearch($0) }
            let expected = kept.filter { query.filter.matches($0[0], search) }
            var ids: [String] = []
            for number in 1...3 {
                query.page = number
                let page = try checked.source.page(query, until: Self.end)
                #expect(
                    page.total == expected.count && !page.isPartial && !page.isTotalBound,
                    "\(checked.name) \(query)"
                )
                ids += page.records.map(\.request.requestID)
                for record in page.records { try check(record) }
            }
            let most = min(expected.count, 3 * query.recordsPerPage)
            #expect(ids.count == most && Set(ids).count == most, "\(checked.name) \(query)")
            #expect(Set(ids).isSubset(of: Set(expected.map { $0[0].requestID })), "\(checked.name) \(query)")
            if query.order == .id {
                let order = expected.map { $0[0].requestID }
                #expect(
                    ids == Array((query.isDescending ? order.reversed() : order).prefix(most)),
                    "\(checked.name) \(query)"
                )
            }
        }
        try checkWalk()
    }

    /// Checks that the case of ASCII letters, and of no others, is ignored.
    private func checkKeywords() throws {
        for keywords in RandomUsage.keywords {
            var query = RecordQuery()
            query.filter.keywords = keywords
            let search = KeywordSearch(keywords)
            let expected = kept.filter { query.filter.matches($0[0], search) }.count
            #expect(
                try checked.source.page(query, until: Self.end).total == expected,
                "\(checked.name) \(keywords)"
            )
        }
    }

    /// Checks the numbers of requests in each minute of two days.
    private func checkMinutes() throws {
        let first = (Timestamp.now() - 2 * 86_400_000) / 60_000
        var expected = (0...2_880).map { UsageOverview.Minute(startMilliseconds: (first + $0) * 60_000) }
        for (request, minute) in kept.map({ ($0[0], $0[0].timeMilliseconds / 60_000 - first) })
        where expected.indices.contains(minute) {
            expected[minute].counts.requests += 1
            guard !request.isSuccess else { continue }
            expected[minute].counts.errors += 1
            expected[minute].counts.failures += hasFailed(request) ? 1 : 0
            expected[minute].counts.refusals += request.status == 429 && request.provider == nil ? 1 : 0
        }
        let counts = try #require(try checked.source.minutes(since: first * 60_000, until: Self.end))
        let found = (0...2_880).map { minute in
            let own = counts[first + minute] ?? UsageOverview.Counts()
            return UsageOverview.Minute(startMilliseconds: (first + minute) * 60_000, counts: own)
        }
        #expect(found == expected, "\(checked.name)")
        #expect(expected.reduce(0) { $0 + $1.counts.failures } > 0)
    }

    /// Checks the sums of timelines of all steps and groups, in random ranges of time.
    private mutating func checkTimelines(_ count: Int) throws {
        let (day, now) = (86_400_000, Timestamp.now())
        for _ in 0..<count {
            var filter = random.filter()
            if filter[.provider] == nil { filter[.provider] = random.one(of: ["row", nil, nil]) }
            // The sums do not distinguish an empty text from a missing one.
            if filter[.model] == "" { filter[.model] = nil }
            let length = random.one(of: [1, 60, 1_440, 1_441, 5_000, 11_000, 40_000, 100_000]) * 60_000
            let end =
                random.one(of: [now + 1, now - 60_000, now - day, now / day * day]) - random.one(of: [0, 0, 1, 77_777])
            let query = TimelineQuery(
                by: random.one(of: [nil] + TimelineQuery.Group.allCases.map(\.self)),
                filter,
                in: end - length..<end
            )
            let plan = TimelinePlan(query, checked.zone, now: now)
            let found = try checked.source.timeline(plan, until: Self.end)
            let timeline = Timeline(plan, found.rows, isPartial: found.isPartial)
            #expect(!timeline.isPartial && timeline.starts == timeline.starts.sorted())
            var steps: [String: [Int: UsageFigures]] = [:]
            for group in timeline.groups { steps[group.name ?? ""] = group.steps.mapValues(\.usage) }
            let expected = expectedSteps(query, timeline.starts)
            #expect(steps == expected.usage, "\(checked.name) \(query) \(timeline.step)")
            let hasTimes = plan.read.count == 1 && plan.stored.isEmpty || plan.table.hasTimes
            guard !query.countsCalls, hasTimes else { continue }
            #expect(
                (timeline.sum.times ?? RequestTimes()) == expected.times,
                "\(checked.name) \(query) \(timeline.step)"
            )
        }
    }

    private func expectedSteps(
        _ query: TimelineQuery,
        _ starts: [Int]
    ) -> (usage: [String: [Int: UsageFigures]], times: RequestTimes) {
        var sums: [String: [Int: UsageFigures]] = [:]
        var times = RequestTimes()
        for record in kept.joined().flatMap({ [$0, $0.onlyCall].compactMap(\.self) })
        where record.isOfRequest != query.countsCalls && query.filter.matches(record, nil) {
            let time = record.timeMilliseconds
            guard query.range.contains(time), let slot = starts.lastIndex(where: { $0 <= time }) else { continue }
            if query.group == .cause, record.isSuccess { continue }
            let name =
                switch query.group {
                case .model: record.model
                case .provider: record.provider
                case .caller: record.caller
                case .endpoint: record.endpoint
                case .cause: record.error.map { UsageRecord.kind(ofCause: $0) }
                case .user: record.endUser
                case nil: nil as String?
                }
            var figures = UsageFigures()
            figures.add(record)
            sums[name ?? "", default: [:]][slot, default: UsageFigures()] += figures
            times.add(record, 1)
        }
        return (sums, times)
    }

    /// Checks that pages by `before` equal pages by number.
    private func checkWalk() throws {
        var query = RecordQuery()
        query.recordsPerPage = 200
        query.filter.outcome = .failed
        var ids: [String] = []
        while true {
            let page = try checked.source.page(query, until: Self.end)
            ids += page.records.map(\.request.requestID)
            guard let last = page.records.last else { break }
            query.filter.before = last.id
        }
        #expect(ids == kept.map { $0[0] }.filter { !$0.isSuccess }.map(\.requestID).reversed(), "\(checked.name)")
    }

    private func check(_ record: StoredRecord) throws {
        let whole = try #require(try checked.source.request(record.id, until: Self.end))
        let given = try #require(kept.first { $0[0].requestID == record.request.requestID })
        let calls = (given[0].onlyCall.map { [$0] } ?? []) + given.dropFirst()
        #expect(whole.calls.map(\.timeMilliseconds) == calls.map(\.timeMilliseconds), "\(checked.name)")
        #expect(whole.calls.map(\.provider) == calls.map(\.provider))
        #expect(record.lastCallStatus == calls.last { $0.status != nil }?.status)
        #expect(record.request.session == given[0].session && whole.calls.allSatisfy { $0.session == nil })
        #expect(record.request.isRebuilt == given[0].isRebuilt)
        #expect(whole.calls.map(\.isRebuilt) == calls.map(\.isRebuilt), "\(checked.name)")
        #expect(
            zip(whole.calls, calls).allSatisfy { $0.usage.isRecorded(like: $1.usage) && $0.bill?.bill == $1.bill?.bill }
        )
        #expect(record.request.usage.isRecorded(like: given[0].usage))
        #expect(record.request.cost == given[0].cost && record.request.error == given[0].error)
        #expect(
            record.request.isCached == given[0].isCached && record.request.timeMilliseconds == given[0].timeMilliseconds
        )
    }
}

/// The number of requests in a check: `RECORDS`, or few for a short run.
let checkedRequests = getenv("RECORDS").flatMap { Int(String(cString: $0)) } ?? 1_500
