import Shared

/// The sums of requests over time, which are the result of a `TimelineQuery`.
package struct Timeline: Sendable {
    /// The sums of a step or of the whole range, with the times of requests; nil if the stored sums do not contain them.
    package struct Figures: Sendable {
        package private(set) var usage = UsageFigures()
        package private(set) var times: RequestTimes?

        fileprivate static func += (sum: inout Figures, more: Figures) {
            sum.times =
                sum.usage.requests == 0 ? more.times : sum.times.flatMap { times in more.times.map { times + $0 } }
            sum.usage += more.usage
        }

        fileprivate init() {}

        fileprivate init(_ sum: UsageSum, ofCalls: Bool) {
            usage = ofCalls ? sum.calls : sum.requests
            times = sum.times
        }
    }

    /// The sums of one group, such as one model.
    package struct Group: Sendable {
        /// The name of the group; nil for records without one, and for the sums of all records.
        package let name: String?
        package var sum = Figures()
        /// The sums of each step that has records.
        package var steps: [Int: Figures] = [:]
    }

    package let step: TimelineQuery.Step
    /// The length of a step in seconds; a day in which the clock is changed is shorter or longer.
    package let stepSeconds: Int
    /// The start of each step, in milliseconds since 1970.
    package let starts: [Int]
    /// The groups, the largest first.
    package private(set) var groups: [Group] = []
    package private(set) var sum = Figures()
    /// Whether the sums may lack records, because these are still being summed or the query's time limit has passed.
    package let isPartial: Bool

    init(_ plan: TimelinePlan, _ rows: [(key: SumKey, sum: UsageSum)], isPartial: Bool) {
        step = plan.step
        stepSeconds = plan.stepMilliseconds / 1_000
        starts = plan.starts
        self.isPartial = isPartial
        var found: [String: Group] = [:]
        var kinds: [String: String] = [:]
        func kind(of cause: String) -> String {
            if let known = kinds[cause] { return known }
            let kind = UsageRecord.kind(ofCause: cause)
            kinds[cause] = kind
            return kind
        }
        for (key, sum) in rows {
            let name =
                plan.query.group == .cause
                ? kind(of: key.model) : plan.query.group.map { key[$0.field ?? .model] } ?? ""
            let figures = Figures(sum, ofCalls: plan.query.countsCalls)
            guard figures.usage.requests != 0 else { continue }
            found[name, default: Group(name: name.isEmpty ? nil : name)].steps[key.day, default: Figures()] += figures
            found[name]?.sum += figures
            self.sum += figures
        }
        groups = found.values.sorted { ($1.sum.usage.requests, $0.name ?? "") < ($0.sum.usage.requests, $1.name ?? "") }
    }
}
