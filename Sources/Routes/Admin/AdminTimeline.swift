import Engine
import Shared
import Upstream
import UsageRecords

/// Handles GET /admin/timeline: sends the sums of requests in a range of time, for each step and for each group.
func showTimeline(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let reader = try recordReader(visit)
    let groups = TimelineQuery.Group.allCases.map(\.rawValue)
    let group = try fields.choice("by", groups).flatMap(TimelineQuery.Group.init)
    let measures = try measures(fields)
    let isCSV = try fields.choice("format", ["json", "csv"]) == "csv"
    let filter = try RecordFields.filter(fields, reader.zone)
    let query = TimelineQuery(by: group, filter, in: try range(filter))
    let found = try await visit.read { (loop) async throws(UsageFailure) in try await reader.timeline(query, on: loop) }
    let names = group.map { [$0.rawValue] } ?? []
    if isCSV { return visit.sendCSV(by: names, found.groups.map { (group == nil ? [] : [$0.name], $0.sum.usage) }) }
    let listed = found.groups.prefix(maxListed)
    let items = listed.map { one in JSONFragment.sum(names.map { ($0, "\(one.name)") }, one.sum) }
    var more: [(name: String, value: JSONFragment)] = [
        ("sum", .sum([], found.sum)), ("step", "\(found.step.rawValue)"), ("step_s", "\(found.stepSeconds)"),
        ("from", "\(query.range.lowerBound / 1_000)"),
        ("to", "\(query.range.upperBound / 1_000)"), ("times", "\(found.starts.map { $0 / 1_000 })"),
        ("series", "\(measures.flatMap { $0.series(found, isGrouped: group != nil) })"),
    ]
    if found.isPartial { more.append(("partial", "true")) }
    if listed.count < found.groups.count { more.append(("cut", "true")) }
    visit.send(items, total: found.groups.count, more)
}

private let maxListed = 1_000
private let maxDays = 3_000
private let dayMilliseconds = 86_400_000

/// Returns the range of time of a filter, in milliseconds since 1970; by default the last 24 hours.
private func range(_ filter: RecordFilter) throws(APIError) -> Range<Int> {
    let to = filter.toMilliseconds ?? Timestamp.now() + 1
    let from = filter.fromMilliseconds ?? to - dayMilliseconds
    guard from < to, to - from <= maxDays * dayMilliseconds else {
        throw .value("to", "must be later than 'from', by at most \(maxDays) days")
    }
    return from..<to
}

/// Returns the numbers in the parameter `measure`.
private func measures(_ fields: AdminQuery) throws(APIError) -> [Measure] {
    let words = (fields["measure"] ?? "requests").split(separator: ",", omittingEmptySubsequences: false)
    let measures = words.compactMap { Measure(rawValue: String($0)) }
    guard measures.count == words.count, Set(measures).count == words.count else {
        let all = Measure.allCases.map(\.rawValue).joined(separator: ", ")
        throw .value("measure", "must be one or several of \(all), each once, separated by commas")
    }
    return measures
}

/// A number that is shown over time.
private enum Measure: String, CaseIterable {
    case requests
    case failed
    case failures
    case refusals
    case tokens
    case cost
    /// The requests by outcome, whatever the groups are.
    case outcome
    case duration
    case firstByte = "first_byte"

    /// The largest number of groups with series of their own.
    private static let maxSeries = 5

    /// Returns the series of the largest groups, and one for all others.
    func series(_ timeline: Timeline, isGrouped: Bool) -> [JSONFragment] {
        let steps = timeline.starts.indices
        switch self {
        case .outcome:
            let kinds: [(String, (UsageFigures) -> Int)] = [
                ("answered", { $0.requests - $0.failed }), ("client errors", \.clientErrors),
                ("refused by limits", \.refusals), ("failures", \.failures),
            ]
            let sums = steps.map { step in timeline.groups.compactMap { $0.steps[step]?.usage } }
            return kinds.map { name, count in series(name, sums.map { "\($0.reduce(0) { $0 + count($1) })" }) }
        case .duration, .firstByte:
            return timeline.groups.prefix(Self.maxSeries).flatMap { group -> [JSONFragment] in
                let times = steps.map { step in
                    let times = group.steps[step]?.times
                    return self == .duration ? times?.durations : times?.firstBytes
                }
                let prefix = isGrouped ? "\(group.name ?? "none") " : ""
                return [
                    series("\(prefix)p50", times.map { "\($0?.p50)" }),
                    series("\(prefix)p95", times.map { "\($0?.p95)" }),
                ]
            }
        case .requests, .failed, .failures, .refusals, .tokens, .cost:
            let ranked = timeline.groups.sorted { value($1.sum.usage) < value($0.sum.usage) }
            let others = ranked.dropFirst(Self.maxSeries)
            var all = ranked.prefix(Self.maxSeries).map { group in
                series(
                    group.name ?? (isGrouped ? "none" : "all"),
                    steps.map { text(group.steps[$0].map { value($0.usage) } ?? 0) }
                )
            }
            if !others.isEmpty {
                let sums = steps.map { step in others.reduce(0) { $0 + ($1.steps[step].map { value($0.usage) } ?? 0) } }
                all.append(series("\(others.count) others", sums.map(text)))
            }
            return all
        }
    }

    private func series(_ name: String, _ values: [JSONFragment]) -> JSONFragment {
        #"{"measure":\#(rawValue),"name":\#(name),"values":\#(values)}"#
    }

    private func value(_ figures: UsageFigures) -> Int128 {
        switch self {
        case .failed: Int128(figures.failed)
        case .failures: Int128(figures.failures)
        case .refusals: Int128(figures.refusals)
        case .tokens: Int128(figures.promptTokens) + Int128(figures.completionTokens)
        case .cost: figures.costPicodollars ?? 0
        default: Int128(figures.requests)
        }
    }

    private func text(_ value: Int128) -> JSONFragment {
        guard self == .cost else { return "\(Int(clamping: value))" }
        var figures = UsageFigures()
        figures.costPicodollars = value
        return figures.costNumber
    }
}

extension JSONFragment {
    /// Returns the sums of a group as JSON: `members`, then counts, tokens, cost and the percentiles of times.
    fileprivate static func sum(
        _ members: [(name: String, value: JSONFragment)],
        _ sum: Timeline.Figures
    ) -> JSONFragment {
        let usage = sum.usage
        let more: [(name: String, value: JSONFragment)] = [
            ("failures", "\(usage.failures)"), ("refusals", "\(usage.refusals)"),
            ("client_errors", "\(usage.clientErrors)"), ("p50_ms", "\(sum.times?.durations?.p50)"),
            ("p95_ms", "\(sum.times?.durations?.p95)"), ("first_byte_p50_ms", "\(sum.times?.firstBytes?.p50)"),
            ("first_byte_p95_ms", "\(sum.times?.firstBytes?.p95)"),
        ]
        return .row(members + more, usage)
    }
}
