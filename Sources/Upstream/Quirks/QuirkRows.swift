import Limits

/// A quirk, and the callers that have met it.
struct QuirkEntry {
    /// The last refusal that showed a quirk to one caller.
    struct Voice {
        let caller: UInt64
        var metAt: Int
        /// Whether a changed call of the caller succeeded. If false, the changed call could not be sent.
        var isProven: Bool
    }

    let finding: QuirkFinding
    /// The time of the first refusal, in seconds since 1970.
    let firstLearnedAt: Int
    var learnedAt: Int
    var voices: [Voice] = []
    /// The vendor's words of the last refusal; empty if there are none.
    var words = ""

    var isConfirmed: Bool { voices.count { $0.isProven } > 1 }

    /// Returns whether the quirk changes calls of this caller.
    func concerns(_ caller: UInt64) -> Bool { isConfirmed || voices.contains { $0.caller == caller } }

    /// Returns whether another caller has met the quirk within an hour.
    func isRecent(without caller: UInt64, at now: Int) -> Bool {
        voices.contains { $0.caller != caller && $0.isProven && now - $0.metAt < QuirkRows.lifeSeconds }
    }
}

/// The quirks of one model that some callers share.
struct QuirkRow {
    var entries: [QuirkEntry] = []
    /// The time of each caller's last call that belonged to a session, in seconds since 1970.
    private var sessions: [UInt64: Int] = [:]

    private static let maxEntries = 48
    private static let maxSessions = 1_000
    private static let sessionSeconds = 600

    mutating func recordSession(of caller: UInt64, at now: Int) {
        if sessions.count >= Self.maxSessions { sessions = sessions.filter { now - $0.value < Self.sessionSeconds } }
        if sessions.count < Self.maxSessions { sessions[caller] = now }
    }

    /// Returns whether a caller's call should try to do without a quirk, because an hour has passed and no session of
    /// the caller is busy.
    func isDue(_ entry: QuirkEntry, for caller: UInt64, at now: Int) -> Bool {
        now - entry.learnedAt >= QuirkRows.lifeSeconds
            && sessions[caller].map { now - $0 >= Self.sessionSeconds } ?? true
    }

    /// Remembers a quirk. Returns whether two known callers have met it.
    mutating func learn(_ finding: QuirkFinding, by caller: UInt64, at now: Int, isProven: Bool) -> Bool {
        guard let index = index(of: finding, by: caller, at: now) else { return false }
        entries[index].learnedAt = now
        if !finding.words.isEmpty { entries[index].words = finding.words }
        if let voice = entries[index].voices.firstIndex(where: { $0.caller == caller }) {
            entries[index].voices[voice].metAt = now
            if isProven { entries[index].voices[voice].isProven = true }
        } else if entries[index].voices.count < Self.maxEntries {
            entries[index].voices.append(QuirkEntry.Voice(caller: caller, metAt: now, isProven: isProven))
        }
        return entries[index].isConfirmed
    }

    /// Returns the index of a quirk's entry, which is added if it is new; nil if there is no room.
    ///
    /// Callers choose the names of betas and fields, so that a new name replaces a name only. What another caller has
    /// met within an hour is not replaced.
    private mutating func index(of finding: QuirkFinding, by caller: UInt64, at now: Int) -> Int? {
        if let index = entries.firstIndex(where: { $0.finding == finding }) { return index }
        let competing = entries.indices.filter { entries[$0].finding.hasChosenNames == finding.hasChosenNames }
        if competing.count >= Self.maxEntries {
            guard let oldest = competing.first(where: { !entries[$0].isRecent(without: caller, at: now) }) else {
                return nil
            }
            entries.remove(at: oldest)
        }
        entries.append(QuirkEntry(finding: finding, firstLearnedAt: now, learnedAt: now))
        return entries.count - 1
    }

    /// Forgets quirks without which the caller's call succeeded. A quirk that others have met within an hour is
    /// forgotten for this caller only.
    mutating func forget(_ findings: [QuirkFinding], by caller: UInt64, at now: Int) {
        entries.removeAll { findings.contains($0.finding) && !$0.isRecent(without: caller, at: now) }
        for index in entries.indices where findings.contains(entries[index].finding) {
            entries[index].voices.removeAll { $0.caller == caller }
        }
    }
}

/// The quirks of all models at all providers, by the callers that share them.
struct QuirkRows {
    /// The time in seconds after which a quirk is tried without.
    static let lifeSeconds = 3_600
    private static let maxModels = 1_000

    /// The rows of known and anonymous callers; and apart from them those of passthrough keys, which must not replace
    /// others' rows.
    private var tables = [RecentTable<ModelCaller, QuirkRow>(), RecentTable()]

    func forEach(_ body: (ModelCaller, QuirkRow) -> Void) { for table in tables { table.forEachPair(body) } }

    /// Calls `body` with the row of a caller. Returns nil if there is none.
    @discardableResult
    mutating func visit<Result>(_ caller: ModelCaller, _ body: (inout QuirkRow) -> Result) -> Result? {
        tables[caller.tableIndex].withValue(of: caller.ofRow, body)
    }

    /// Calls `body` with the row of a caller, which is added if it is new.
    mutating func change<Result>(_ caller: ModelCaller, _ body: (inout QuirkRow) -> Result) -> Result {
        if let result = visit(caller, body) { return result }
        var row = QuirkRow()
        let result = body(&row)
        tables[caller.tableIndex].set(caller.ofRow, row, atMost: Self.maxModels)
        return result
    }
}

/// A model of a provider, and the caller for whom its quirks are remembered.
struct ModelCaller: Hashable {
    let provider: String
    let model: String
    let owner: CallQuirks.Owner

    init(_ provider: String, _ model: String, _ owner: CallQuirks.Owner) {
        (self.provider, self.model, self.owner) = (provider, model, owner)
    }

    /// The name of the caller's row, which all known callers share.
    fileprivate var ofRow: ModelCaller {
        if case .known = owner { ModelCaller(provider, model, .known(0)) } else { self }
    }

    fileprivate var tableIndex: Int { if case .passThrough = owner { 1 } else { 0 } }
}
