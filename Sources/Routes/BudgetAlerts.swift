import Engine
package import Limits
package import Shared
import Synchronization

/// The alerts for the operator when a budget in dollars or credits reaches a mark, such as 80 % of it.
///
/// All instances together log and post each mark once, until the use has fallen under the lowest mark or the budget's
/// window has passed. The instance that claims the mark in the shared state does it, once the claim has lasted.
package final class BudgetAlerts: Sendable {
    private struct Parts: Sendable {
        let services: SharedServices
        let own: LoopServices
        let router: Router
    }

    /// The last use of a budget that this instance knows, with its marks.
    private struct Known {
        var use: BudgetUse
        /// The highest mark that all instances together have sent.
        var sent = 0
        /// The mark about which this instance is deciding; 0 for none.
        var pending = 0
    }

    private struct State {
        var parts: Parts?
        /// The budgets of which a mark was reached, by their records.
        var known: [String: Known] = [:]
        /// The time at which the store has last lost its records.
        var lostAt: LoopTime?
        /// The alerts that this instance has claimed and not yet posted.
        var unsent: [String: BudgetAlert] = [:]

        /// Returns the last known use of a budget, about whose mark the caller decides.
        mutating func use(ofRecord record: String) -> BudgetUse? {
            known[record]?.pending = 0
            return known[record]?.use
        }
    }

    private let state = Lock(State())
    /// A random number of this instance, with which it claims a mark before it sends an alert.
    private let id = withUnsafeBytes(of: UInt64.random(in: .min ... .max)) { Array($0) }
    private let posted = Atomic(0)
    private let failed = Atomic(0)

    private static let maxRecords = 10_000
    private static let maxTries = 12
    /// The time after which the claim of an instance that has ended no longer counts: less than the time of all tries.
    private static let claimSeconds = 20
    /// The time after which each instance has noticed that the store has lost its records, and has put its marks back.
    private static let settledNanoseconds: UInt64 = 3_000_000_000

    package init() {}

    /// Logs the alerts that are not yet posted when the relay ends. Call it when its loops have ended.
    package func stop(_ log: Log) {
        for alert in state.withLock({ $0.unsent }).values { alert.logUnposted(to: log) }
    }

    package func begin(_ services: SharedServices, _ own: LoopServices, _ router: Router) {
        state.withLock { $0.parts = Parts(services: services, own: own, router: router) }
    }

    /// Looks at an event of the limiter, on any thread.
    package func take(_ event: LimiterEvent) {
        guard let parts = state.withLock({ $0.parts }) else { return }
        switch event {
        case .budgetUsed(let use): parts.own.loop.call { self.take(use, parts) }
        case .recordsLost: putBack(parts)
        default: break
        }
    }

    private func take(_ use: BudgetUse, _ parts: Parts) {
        let reached = Self.mark(of: use, parts)
        let before = state.withLock { state in
            guard state.known[use.record] != nil || reached > 0 else { return nil as Known? }
            if state.known.count >= Self.maxRecords { state.known = [:] }
            let before = state.known[use.record] ?? Known(use: use)
            var known = before
            known.use = use
            known.pending = max(known.pending, reached)
            state.known[use.record] = known
            return before
        }
        guard let before, reached == 0 || reached > max(before.sent, before.pending) else { return }
        Task(executorPreference: parts.own.loop) { await self.decide(use.record, parts) }
    }

    /// Returns the highest mark that the use of a budget has reached; 0 for none.
    private static func mark(of use: BudgetUse, _ parts: Parts) -> Int {
        parts.router.gateway.settings.budgetMarks.last { use.percent >= $0 } ?? 0
    }

    /// Returns the name of the key that has the budget, nil for that of all callers or of a group together; nil if no key
    /// has it.
    private static func key(of use: BudgetUse, _ gateway: Gateway) -> String?? {
        if use.limit.group != nil { return .some(nil) }
        if gateway.limits.limitsOfAll.contains(where: { $0.charge.record == use.record }) { return .some(nil) }
        let key = gateway.settings.keys.first { key in
            gateway.limits.possibleLimits(of: Caller(known: key), models: []).contains {
                $0.charge.record == use.record
            }
        }
        if let key { return .some(key.name) }
        let member = gateway.process.members.all.lazy.compactMap(gateway.settings.keys.named).first {
            LimitCharge(use.limit, $0.identity).record == use.record
        }
        return member.map { .some($0.name) }
    }

    /// Sends the alert about the mark that a budget has reached, unless another instance has sent it. Clears the marks
    /// if the use has fallen under the lowest one.
    private func decide(_ record: String, _ parts: Parts) async {
        // Whether the store was asked to end the claim, and its response was lost.
        var mayHaveEnded = false
        for _ in 0..<Self.maxTries {
            await settle(parts)
            guard let use = state.withLock({ $0.use(ofRecord: record) }) else { return }
            let mark = Self.mark(of: use, parts)
            let key = mark > 0 ? Self.key(of: use, parts.router.gateway) : .some(nil)
            // Nobody with a name has the budget.
            guard let caller = key else { return }
            do throws(StoreFailure) {
                switch try await holder(of: mark, use, mayHaveEnded: mayHaveEnded, parts) {
                case .own:
                    let (name, alert) = ("\(record) \(mark)", BudgetAlert(use: use, caller: caller))
                    state.withLock { $0.unsent[name] = alert }
                    defer { state.withLock { $0.unsent[name] = nil } }
                    switch try await end(mark, use, mayHaveEnded: &mayHaveEnded, parts) {
                    case .own:
                        state.withLock { $0.known[record]?.sent = mark }
                        return await send(alert, parts)
                    case .other: continue
                    case .nobody: return
                    }
                case .other:
                    // If that instance ends before it sends the alert, its claim expires.
                    state.withLock { $0.known[record]?.pending = mark }
                    continue
                case .nobody: break
                }
                state.withLock { state in
                    let isFallen = state.known[record].map { Self.mark(of: $0.use, parts) == 0 } ?? true
                    if mark == 0, isFallen { state.known[record] = nil } else { state.known[record]?.sent = mark }
                }
                return
            } catch {
                await parts.own.loop.sleep(nanoseconds: Self.settledNanoseconds)
            }
        }
        state.withLock { $0.known[record] = nil }
    }

    /// The instance that has claimed a mark and has not yet ended its claim.
    private enum Holder {
        case own
        case other
        case nobody
    }

    /// Claims a mark for a while, unless it is claimed or was sent. Removes the marks of a budget with the mark 0.
    private func holder(
        of mark: Int,
        _ use: BudgetUse,
        mayHaveEnded: Bool,
        _ parts: Parts
    ) async throws(StoreFailure) -> Holder {
        let claim = [UInt8(mark)] + id
        let seconds = mark > 0 ? Self.claimSeconds : use.limit.quota.windowSeconds
        return try await change(use, expirySeconds: seconds, parts) { found in
            if mark == 0 { return SharedState.Change(found == nil ? nil : [0], .nobody) }
            if Int(found?.first ?? 0) < mark { return SharedState.Change(claim, .own) }
            let isOwn = found == claim || mayHaveEnded && found == claim + [0]
            return SharedState.Change(nil, isOwn ? .own : found?.count == claim.count ? .other : .nobody)
        }
    }

    /// Ends this instance's claim of a mark once it has lasted. Returns whose the mark then is: a store that has lost its
    /// records may have another claim, or an alert that was sent.
    private func end(
        _ mark: Int,
        _ use: BudgetUse,
        mayHaveEnded: inout Bool,
        _ parts: Parts
    ) async throws(StoreFailure) -> Holder {
        await settle(parts)
        let claim = [UInt8(mark)] + id
        let ended = claim + [0]
        let found: [UInt8]?
        do throws(StoreFailure) {
            found = try await change(use, expirySeconds: use.limit.quota.windowSeconds, parts) { found in
                SharedState.Change(found == claim ? ended : nil, found)
            }
        } catch {
            mayHaveEnded = true
            throw error
        }
        if found == claim || mayHaveEnded && found == ended { return .own }
        // Another decision of this instance may have ended the claim, and sends.
        return found == ended ? .nobody : .other
    }

    /// Waits until each instance knows whether the store has lost its records.
    private func settle(_ parts: Parts) async {
        guard parts.services.process.admin.shared != nil else { return }
        let loop = parts.own.loop
        repeat {
            await loop.sleep(nanoseconds: Self.settledNanoseconds)
        } while isUnsettled(at: loop.now)
    }

    private func isUnsettled(at now: LoopTime) -> Bool {
        guard let lostAt = state.withLock({ $0.lostAt }) else { return false }
        return now.nanoseconds(since: lostAt) < Self.settledNanoseconds
    }

    private func change<Outcome: Sendable>(
        _ use: BudgetUse,
        expirySeconds: Int,
        _ parts: Parts,
        _ body: @escaping @Sendable ([UInt8]?) -> SharedState.Change<Outcome>
    ) async throws(StoreFailure) -> Outcome {
        try await parts.services.shared.update(use.key, expirySeconds: expirySeconds, on: parts.own.loop, body)
    }

    /// Writes the marks that this instance knows into a store that has lost them.
    private func putBack(_ parts: Parts) {
        let known = state.withLock { state in
            state.lostAt = LoopTime.current()
            return state.known.values.filter { $0.sent > 0 }
        }
        Task(executorPreference: parts.own.loop) {
            for known in known {
                let expirySeconds = known.use.limit.quota.windowSeconds
                _ = try? await self.change(known.use, expirySeconds: expirySeconds, parts) { found in
                    let mark = Int(found?.first ?? 0)
                    let isClaim = mark == known.sent && found?.count == 1 + self.id.count
                    return SharedState.Change(mark < known.sent || isClaim ? [UInt8(known.sent)] : nil, true)
                }
            }
        }
    }

    private func send(_ alert: BudgetAlert, _ parts: Parts) async {
        alert.log(to: parts.services.log)
        guard let endpoint = BudgetAlert.endpoint(parts.router.gateway.settings) else { return }
        guard let cause = await alert.post(to: endpoint, parts.own) else {
            posted.add(1, ordering: .relaxed)
            return
        }
        failed.add(1, ordering: .relaxed)
        parts.services.log.warning("an alert about a budget could not be posted") { line in
            line.add("setting", "BUDGET_ALERT_URL")
            line.add("cause", cause)
        }
    }
}

extension BudgetAlerts: MetricsSource {
    package func write(to text: inout MetricsText) {
        text.counter("relay_budget_alerts_total", "Alerts about budgets that this relay has posted, by outcome.")
        text.sample(("outcome", "sent"), value: posted.load(ordering: .relaxed))
        text.sample(("outcome", "failed"), value: failed.load(ordering: .relaxed))
    }
}

extension BudgetUse {
    /// The key in the shared state of the highest mark that was sent.
    fileprivate var key: String { "relay:2:alert:\(record)" }
}
