import Calls
import Limits

/// A quirk, and the callers that have met it.
struct QuirkEntry {
    let finding: QuirkFinding
    var learnedAt: Int
    /// The known callers whose changed calls succeeded, at most two.
    var callers: [UInt64] = []
    /// The known callers whose changed calls could not be sent.
    var unproven: [UInt64] = []

    var isConfirmed: Bool { callers.count > 1 }
}

/// The quirks of one model that some callers share.
struct QuirkRow {
    var entries: [QuirkEntry] = []
    /// The time of the last call that belonged to a session, in seconds since 1970.
    var lastOfSession = Int.min / 2

    private static let maxEntries = 48
    private static let sessionSeconds = 600

    /// Returns whether an entry should be tried without, because it was learned an hour ago and no session is busy.
    func isDue(_ entry: QuirkEntry, _ now: Int) -> Bool {
        now - entry.learnedAt >= QuirkRows.lifeSeconds && now - lastOfSession >= Self.sessionSeconds
    }

    /// Remembers a quirk. Returns whether two known callers have met it.
    mutating func learn(_ finding: QuirkFinding, by caller: UInt64, at now: Int, isProven: Bool) -> Bool {
        if !entries.contains(where: { $0.finding == finding }) {
            makeRoom(for: finding)
            entries.append(QuirkEntry(finding: finding, learnedAt: now))
        }
        guard let index = entries.firstIndex(where: { $0.finding == finding }) else { return false }
        entries[index].learnedAt = now
        if isProven {
            if entries[index].callers.count < 2, !entries[index].callers.contains(caller) {
                entries[index].callers.append(caller)
            }
        } else if entries[index].unproven.count < Self.maxEntries, !entries[index].unproven.contains(caller) {
            entries[index].unproven.append(caller)
        }
        return entries[index].isConfirmed
    }

    /// Removes the oldest finding if there are too many. Callers choose the names of betas and fields, so that a new
    /// name replaces a name only.
    private mutating func makeRoom(for finding: QuirkFinding) {
        let rivals = entries.indices.filter { entries[$0].finding.hasChosenNames == finding.hasChosenNames }
        if rivals.count >= Self.maxEntries, let oldest = rivals.first { entries.remove(at: oldest) }
    }
}

/// The quirks of all models at all providers, by the callers that share them.
struct QuirkRows {
    /// The time in seconds after which a quirk is tried without.
    static let lifeSeconds = 3_600
    private static let maxModels = 1_000

    /// The rows of known callers and of anonymous callers.
    private var shared = RecentTable<String, QuirkRow>()
    /// The rows of passthrough keys, which must not replace others' rows.
    private var own = RecentTable<String, QuirkRow>()

    private static func key(_ provider: String, _ model: String, _ owner: CallQuirks.Owner) -> String {
        switch owner {
        case .none, .known: "\(provider)\n\(model)"
        case .anonymous: "\(provider)\n\(model)\n"
        case .passThrough(let key): "\(provider)\n\(model)\n\(key)"
        }
    }

    /// Calls `body` with the row that the owner may change, if there is one.
    ///
    /// - Parameter body: its second parameter returns whether the quirk of an entry changes the owner's calls.
    mutating func visit(
        _ provider: String,
        _ model: String,
        _ owner: CallQuirks.Owner,
        _ body: (inout QuirkRow, (QuirkEntry) -> Bool) -> Void
    ) {
        let key = Self.key(provider, model, owner)
        switch owner {
        case .none: break
        case .known(let caller):
            shared.withValue(of: key) { row in
                body(&row) { $0.isConfirmed || $0.callers.contains(caller) || $0.unproven.contains(caller) }
            }
        case .anonymous: shared.withValue(of: key) { body(&$0) { _ in true } }
        case .passThrough: own.withValue(of: key) { body(&$0) { _ in true } }
        }
    }

    /// Returns the quirks that two known callers have met within an hour, for owners that do not share their row.
    mutating func confirmed(
        _ provider: String,
        _ model: String,
        for owner: CallQuirks.Owner,
        at now: Int
    ) -> [QuirkFinding] {
        switch owner {
        case .known, .passThrough: return []
        case .none, .anonymous:
            return shared.withValue(of: Self.key(provider, model, .none)) { row in
                row.entries.filter { $0.isConfirmed && now - $0.learnedAt < Self.lifeSeconds }.map(\.finding)
            } ?? []
        }
    }

    /// Calls `body` with the row of the owner. Creates the row if there is none.
    mutating func change<Result>(
        _ provider: String,
        _ model: String,
        _ owner: CallQuirks.Owner,
        _ body: (inout QuirkRow) -> Result
    ) -> Result {
        let key = Self.key(provider, model, owner)
        if case .passThrough = owner { return Self.change(&own, key, body) }
        return Self.change(&shared, key, body)
    }

    private static func change<Result>(
        _ table: inout RecentTable<String, QuirkRow>,
        _ key: String,
        _ body: (inout QuirkRow) -> Result
    ) -> Result {
        var row = table.use(key) ?? QuirkRow()
        let result = body(&row)
        table.set(key, row, atMost: maxModels)
        return result
    }
}
