import Engine
import Glibc
import Limits
package import Shared
import Synchronization

/// Remembers the quirks of each model at each provider for an hour. Can be used on any thread.
///
/// A quirk changes the calls of a caller that has met it. After two known callers have met it, it changes the calls of
/// all callers that use the relay's keys. Anonymous callers share one memory, and each passthrough key has its own.
package final class QuirkMemory: Sendable {
    /// The quirks that are remembered for the calls of one caller to one model.
    struct Known {
        /// The quirks that change all calls, and need not be checked again.
        var sure: Set<Quirk> = []
        /// The quirks that change only some calls, or that one call should try to do without.
        var others: [(finding: QuirkFinding, isDue: Bool)] = []

        /// The quirks that change all calls, with those that one call should try to do without.
        var unconditional: Set<Quirk> {
            others.reduce(into: sure) { if $1.finding.isUnconditional { $0.formUnion($1.finding.quirks) } }
        }

        fileprivate mutating func add(_ finding: QuirkFinding, isDue: Bool) {
            if !isDue, finding.beside == nil, finding.quirks.allSatisfy(\.isNamed) {
                sure.formUnion(finding.quirks)
            } else {
                others.append((finding, isDue))
            }
        }
    }

    let rows = Lock(QuirkRows())
    private let isUsed = Atomic(false)
    /// The unknown finish reasons that were already logged, by provider.
    private let finishes = Lock(RecentTable<String, Void>())
    private let log: Log?
    /// The providers of which nothing is remembered.
    private let forgetful: Set<String>
    private let now: @Sendable () -> Int

    private static let maxFinishes = 100

    /// - Parameters:
    ///   - log: the log for what is learned and for unknown finish reasons; nil to log nothing.
    ///   - forgetful: the providers of which nothing is remembered.
    ///   - now: returns the time in seconds since 1970.
    package init(
        _ log: Log? = nil,
        except forgetful: Set<String> = [],
        now: @escaping @Sendable () -> Int = { Int(Glibc.time(nil)) }
    ) {
        self.log = log
        self.forgetful = forgetful
        self.now = now
    }

    /// Returns the quirks that decide what a call may ask of the model: all that are remembered for the caller.
    func quirks(of provider: String, _ model: String, for call: CallQuirks) -> Set<Quirk> {
        var call = call
        // The session is recorded when the call is prepared.
        call.isOfSession = false
        return known(of: provider, model, for: call).unconditional
    }

    func known(of provider: String, _ model: String, for call: CallQuirks) -> Known {
        guard isUsed.load(ordering: .relaxed) else { return Known(sure: call.learned.quirks) }
        var known = Known()
        let (now, voice) = (now(), call.owner.voice)
        rows.withLock { rows in
            rows.visit(ModelCaller(provider, model, call.owner)) { row in
                for entry in row.entries where entry.concerns(voice) {
                    known.add(entry.finding, isDue: !entry.finding.isPlainLack && row.isDue(entry, for: voice, at: now))
                }
                if call.isOfSession { row.recordSession(of: voice, at: now) }
            }
            guard call.owner == .none || call.owner == .anonymous else { return }
            // These callers also get what two known callers have met within an hour.
            rows.visit(ModelCaller(provider, model, .known(0))) { row in
                for entry in row.entries where entry.isConfirmed && now - entry.learnedAt < QuirkRows.lifeSeconds {
                    known.add(entry.finding, isDue: false)
                }
            }
        }
        known.sure = known.sure.subtracting(call.tried.quirks).union(call.learned.quirks)
        return known
    }

    /// Returns the remembered betas that the model's server refuses.
    func refusedBetas(of provider: String, _ model: String, for call: CallQuirks) -> [String] {
        known(of: provider, model, for: call).others.filter { $0.finding.beside == nil }.flatMap(\.finding.betas)
    }

    /// Returns the lacks that a call with these needs should ignore, because they have been remembered for an hour. No
    /// other call ignores them for the next hour.
    func beginTrials(of needs: Abilities, for caller: ModelCaller) -> [QuirkFinding] {
        guard isUsed.load(ordering: .relaxed) else { return [] }
        let voice = caller.owner.voice
        return beginTrials(for: caller) { row, entry, now in
            entry.finding.isPlainLack && entry.concerns(voice) && row.isDue(entry, for: voice, at: now)
                && entry.finding.quirks.allSatisfy { $0.concerns(needs) }
        }
    }

    /// Returns whether this call should ignore a quirk that is due. No other call ignores it for the next hour.
    func beginTrial(of finding: QuirkFinding, for caller: ModelCaller) -> Bool {
        let begun = beginTrials(for: caller) { _, entry, now in
            entry.finding == finding && now - entry.learnedAt >= QuirkRows.lifeSeconds
        }
        return !begun.isEmpty
    }

    private func beginTrials(
        for caller: ModelCaller,
        where isDue: (QuirkRow, QuirkEntry, Int) -> Bool
    ) -> [QuirkFinding] {
        var tried: [QuirkFinding] = []
        let now = now()
        rows.withLock { rows in
            rows.visit(caller) { row in
                for index in row.entries.indices where isDue(row, row.entries[index], now) {
                    row.entries[index].learnedAt = now
                    tried.append(row.entries[index].finding)
                }
            }
        }
        return tried
    }

    /// Forgets quirks without which the caller's call succeeded.
    func forget(_ findings: [QuirkFinding], for caller: ModelCaller) {
        guard !findings.isEmpty else { return }
        let findings = findings.flatMap(\.single)
        let now = now()
        rows.withLock { rows in
            rows.visit(caller) { $0.forget(findings, by: caller.owner.voice, at: now) }
        }
    }

    /// Remembers quirks for the caller, and for all callers if another known caller has met them.
    /// - Parameter isProven: whether the changed call succeeded. If false, the call could not be sent, and the quirk
    ///   changes calls of this caller only.
    func learn(_ findings: [QuirkFinding], for caller: ModelCaller, isProven: Bool = true) {
        guard caller.owner != .none, !forgetful.contains(caller.provider), !findings.isEmpty else { return }
        isUsed.store(true, ordering: .relaxed)
        let now = now()
        for finding in findings.flatMap(\.single) {
            let isForAll = rows.withLock { rows in
                rows.change(caller) { row in
                    let isProven = isProven && !finding.isOfCaller
                    return row.learn(finding, by: caller.owner.voice, at: now, isProven: isProven)
                }
            }
            log?.info("learned how a model's requests must be changed") { line in
                line.add("provider", caller.provider)
                line.add("model", caller.model)
                line.add("quirk", finding.name)
                line.add("for", caller.owner.scope(isForAll: isForAll))
            }
        }
    }

    /// Logs an unknown finish reason, once for each provider and reason.
    func record(unknownFinish word: UnsafeRawBufferPointer, of provider: String) {
        guard let log else { return }
        let word = word[part: 0..<min(64, word.count)].text
        let key = "\(provider)\n\(word)"
        let isNew = finishes.withLock { known in
            if known.use(key) != nil { return false }
            known.set(key, (), atMost: Self.maxFinishes)
            return true
        }
        guard isNew else { return }
        log.warning("unknown finish reason") { line in
            line.add("provider", provider)
            line.add("reason", word)
        }
    }
}

extension CallQuirks.Owner {
    /// The callers whose calls a quirk of this owner changes, in words.
    func scope(isForAll: Bool) -> String {
        switch self {
        case .none, .known: isForAll ? "all callers" : "one caller"
        case .anonymous: "anonymous callers"
        case .passThrough: "one passthrough key"
        }
    }
}
