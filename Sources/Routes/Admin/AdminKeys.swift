import Engine
import Limits
import Shared
import UsageRecords

/// Handles GET /admin/keys: lists the known callers with their budgets and usage.
///
/// The keys of a group follow the row of their first group. What is nearest to its end comes first.
func listKeys(_ visit: AdminVisit) async throws(APIError) {
    let usage = try await KeyUsage.all(visit)
    let keys = visit.gateway.settings.keys.withMembers(named: usage.keys)
    let budgets = try await KeyBudgets(of: keys, visit)
    let now = Timestamp.now()
    var blocks: [KeyBlock] = []
    var indices: [String: Int] = [:]
    for (number, key) in keys.enumerated() {
        if number % KeyBudgets.keysAtOnce == 0 { try await visit.letOthersGoOn() }
        let row = KeyRow(key, budgets.ofKeys[key.name] ?? [], usage[key.name], at: now)
        for group in key.groups where indices[group.name] == nil {
            indices[group.name] = blocks.count
            blocks.append(KeyBlock(group, budgets.ofGroups[group.name] ?? [], keys, usage))
        }
        if let group = key.groups.first, let index = indices[group.name] {
            blocks[index].keys.append(row)
        } else {
            blocks.append(KeyBlock(keys: [row]))
        }
    }
    let nearest = blocks.map { (nearness: $0.nearness, block: $0) }.sorted { $0.nearness > $1.nearness }
    try await visit.letOthersGoOn()
    visit.send(nearest.flatMap(\.block.json), total: keys.count, [("shared", budgets.areOfStore ? "true" : "false")])
}

/// The states of the limits of an hour or more, by the name of their key or group.
private struct KeyBudgets {
    private(set) var ofKeys: [String: [LimitStates.State]] = [:]
    private(set) var ofGroups: [String: [LimitStates.State]] = [:]
    private(set) var areOfStore = true

    /// The number of keys after which other requests of the loop go on.
    static let keysAtOnce = 50

    init(of keys: [KeySettings], _ visit: AdminVisit) async throws(APIError) {
        var ids: Set<String> = []
        for first in stride(from: 0, to: keys.count, by: Self.keysAtOnce) {
            try await visit.letOthersGoOn()
            let callers = keys[first...].prefix(Self.keysAtOnce).map { Caller(known: $0) }
            let states = try await LimitStates(of: callers, visit.gateway, areBudgets: true)
            areOfStore = areOfStore && states.isOfStore
            for state in states.all {
                if let name = state.caller {
                    ofKeys[name, default: []].append(state)
                } else if let name = state.use.limit.group, ids.insert(state.id).inserted {
                    ofGroups[name, default: []].append(state)
                }
            }
        }
    }
}

/// A group with the keys whose first group it is; or one key without a group.
private struct KeyBlock {
    private var group: KeyRow?
    var keys: [KeyRow]

    init(keys: [KeyRow]) { self.keys = keys }

    init(_ group: GroupSettings, _ budgets: [LimitStates.State], _ keys: [KeySettings], _ usage: [String: KeyUsage]) {
        var sum: KeyUsage?
        for key in keys where key.groups.contains(group) {
            guard let more = usage[key.name] else { continue }
            sum = sum.map { $0.adding(more) } ?? more
        }
        self.group = KeyRow(group, budgets, sum)
        self.keys = []
    }

    var nearness: Double { (keys + [group].compactMap { $0 }).map(\.nearness).max() ?? 0 }

    var json: [JSONFragment] { ([group].compactMap { $0 } + keys.sorted { $0.nearness > $1.nearness }).map(\.json) }
}

/// A row of the list: a key or a group.
private struct KeyRow {
    /// The part of its time or of its fullest budget that is used: 1 at the end, -1 for a key that is refused.
    let nearness: Double
    let json: JSONFragment

    init(_ key: KeySettings, _ budgets: [LimitStates.State], _ usage: KeyUsage?, at now: Int) {
        let rest = key.endsAt == .min ? 0 : (key.endsAt ?? .max) - now
        let age = 1 - Double(rest) / Double(KeySettings.warnedMilliseconds)
        nearness = rest <= 0 ? -1 : max(budgets.map(\.share).max() ?? 0, age)
        let state =
            key.endsAt == .min
            ? "off" : rest <= 0 ? "ended" : rest < KeySettings.warnedMilliseconds ? "ends soon" : "ok"
        let end = key.endsAt.flatMap { $0 == .min ? nil : $0 / 1_000 }
        let more: [(name: String, value: JSONFragment)] = [
            ("groups", "\(key.groups.map(\.name))"), ("state", "\(state)"), ("expires_at", "\(end)"),
        ]
        json = Self.json("key", key.name, key.models, budgets, usage, more)
    }

    init(_ group: GroupSettings, _ budgets: [LimitStates.State], _ usage: KeyUsage?) {
        nearness = budgets.map(\.share).max() ?? 0
        json = Self.json("group", group.name, group.models, budgets, usage)
    }

    private static func json(
        _ kind: String,
        _ name: String,
        _ models: [ModelPattern],
        _ budgets: [LimitStates.State],
        _ usage: KeyUsage?,
        _ more: [(name: String, value: JSONFragment)] = []
    ) -> JSONFragment {
        let members: [(name: String, value: JSONFragment)] = [
            ("kind", "\(kind)"), ("name", "\(name)"), ("models", "\(models.map(\.description))"),
            ("budgets", "\(budgets.map(JSONFragment.init(limit:)))"), ("cost_today", "\(usage?.today.dollars)"),
            ("cost_month", "\(usage?.month.dollars)"), ("unpriced_today", "\(usage?.today.unpriced ?? 0)"),
            ("unpriced_month", "\(usage?.month.unpriced ?? 0)"), ("requests", "\(usage?.month.requests ?? 0)"),
            ("failures", "\(usage?.month.failures ?? 0)"), ("last_used", "\(usage?.lastDay)"),
        ]
        return "{\(members: members + more)}"
    }
}

/// The usage of a key, or of the keys of a group, of today and of this month of the calendar.
private struct KeyUsage {
    var today = UsageFigures()
    var month = UsageFigures()
    /// The last day with a request; nil if none is known.
    var lastDay: String?

    private static let maxDays = 30

    func adding(_ other: KeyUsage) -> KeyUsage {
        var sum = self
        sum.today += other.today
        sum.month += other.month
        sum.lastDay = [lastDay, other.lastDay].compactMap { $0 }.max()
        return sum
    }

    /// Reads the usage of all callers, by name.
    static func all(_ visit: AdminVisit) async throws(APIError) -> [String: KeyUsage] {
        guard let reader = visit.gateway.usage.reader else { return [:] }
        let today = reader.zone.today
        // Each day of each caller is a row.
        let days = max(1, min(maxDays, UsageQuery.maxRows / max(1, visit.gateway.settings.keys.count)))
        let queries = [
            UsageQuery(by: [.day, .caller], from: today.adding(days: 1 - days), to: today),
            UsageQuery(by: [.caller], from: today.firstOfMonth, to: today),
            UsageQuery(by: [.caller], from: today, to: today),
        ]
        var all: [String: KeyUsage] = [:]
        for (index, query) in queries.enumerated() {
            let table = try await visit.usage(query)
            for (number, row) in table.rows.enumerated() {
                if number % 1_000 == 0 { try await visit.letOthersGoOn() }
                guard let name = row.values.last ?? nil else { continue }
                switch index {
                case 0: all[name, default: KeyUsage()].lastDay = row.values[0]
                case 1: all[name, default: KeyUsage()].month = row.figures
                default: all[name, default: KeyUsage()].today = row.figures
                }
            }
        }
        return all
    }
}
