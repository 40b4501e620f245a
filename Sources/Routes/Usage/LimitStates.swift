import Engine
import Limits
import Shared
import Upstream

/// The used units of callers' limits, from the store or from this process.
struct LimitStates: Sendable {
    struct State: Sendable {
        /// The caller's name; nil if the limit counts all callers or a group of them together.
        let caller: String?
        let id: String
        let model: String?
        let use: LimitUse
        /// The number of requests in this instance that wait for a decision of the limit.
        let waiting: Int
        /// The time at which all units are free, in seconds since 1970; nil if none are used.
        let resetsAt: Int?

        /// The name of the limit, and its group or model if there is one: `chat`, `total`, `group eng` or `model gpt-4o`.
        var text: String { use.limit.kind.name + ((use.limit.group ?? model).map { " \($0)" } ?? "") }
        /// The used part of the limit: 0 if nothing is used, 1 if everything is used.
        var share: Double { Double(use.used) / Double(max(1, use.limit.quota.count)) }
        var used: String { use.limit.quota.amount(use.used) }
        var left: String { use.limit.quota.amount(use.left) }
        var isUsedUp: Bool { use.left <= 0 }
        /// Whether the limit counts all callers together.
        var isOfAll: Bool { use.limit.kind == .total }
    }

    let all: [State]
    /// Whether the used units come from the shared store. If false, they are this instance's own counts.
    let isOfStore: Bool

    static let maxCallers = 200
    /// The number of limits after which the limits of further callers are not read.
    private static let maxRecords = 10_000
    private static let patienceNanoseconds: UInt64 = 5_000_000_000

    /// Reads the states of the limits that count all callers together, and of the limits of some callers and of their
    /// groups. Each group occurs once.
    /// - Parameters:
    ///   - address: the caller's address; nil to leave out limits by address.
    ///   - areBudgets: whether to read only limits of an hour or more, and none of models or of all callers together.
    init(
        of callers: [Caller],
        _ gateway: Gateway,
        from address: String? = nil,
        areBudgets: Bool = false
    ) async throws(APIError) {
        var limits: [(caller: String?, limit: LimitBook.PossibleLimit)] =
            areBudgets ? [] : gateway.limits.limitsOfAll.map { (nil, $0) }
        var groups: Set<String> = []
        for caller in callers where limits.count < Self.maxRecords {
            let own =
                areBudgets
                ? gateway.limits.possibleLimits(of: caller, models: []).filter { $0.charge.limit.isLongOfCaller }
                : Self.possibleLimits(of: caller, gateway, from: address)
            limits += own.compactMap { limit in
                guard limit.charge.limit.group != nil else { return (caller.name, limit) }
                return groups.insert(Self.id(limit)).inserted ? (nil, limit) : nil
            }
        }
        let charges = limits.map(\.limit.charge)
        let (uses, isOfStore) = await Self.uses(of: charges, gateway)
        let waiting = gateway.limiter.waiting(charges)
        self.isOfStore = isOfStore
        all = zip(zip(limits, uses), waiting).compactMap { found, waiting in
            let ((caller, limit), use) = found
            guard limit.model == nil || use.isRecorded else { return nil }
            return State(
                caller: caller,
                id: Self.id(limit),
                model: limit.model,
                use: use,
                waiting: waiting,
                resetsAt: use.used > 0 ? use.limit.resetSecond(after: use.resetMicroseconds) : nil
            )
        }
    }

    /// Returns a caller's own limits, without those that count all callers together.
    static func possibleLimits(
        of caller: Caller,
        _ gateway: Gateway,
        from address: String? = nil
    ) -> [LimitBook.PossibleLimit] {
        let models = gateway.limits.dependsOnModels ? gateway.registry.modelCatalog.limitedModels : []
        return gateway.limits.possibleLimits(of: caller, models: models, from: address)
            .filter { $0.charge.limit.kind != .total }
    }

    /// Returns the id of a caller's limit, with which an operator can reset the limit.
    static func id(_ limit: LimitBook.PossibleLimit) -> String {
        limit.charge.limit.id + ((limit.charge.limit.group ?? limit.model).map { ":\($0)" } ?? "")
    }

    /// Returns the used units of the limits, and whether they come from the shared store.
    ///
    /// If the store is missing or unavailable, or has lost a record, the units are those of this instance. Records that
    /// only the database knows are put back.
    private static func uses(
        of charges: [LimitCharge],
        _ gateway: Gateway
    ) async -> (uses: [LimitUse], isOfStore: Bool) {
        let (admin, limits) = (gateway.process.admin, gateway.settings.limits)
        if let store = admin.counters, !charges.isEmpty {
            let secret = limits.storeSecret.map { StoreSecret($0) }
            let read = await admin.worker.result(on: gateway.loop, withinNanoseconds: patienceNanoseconds) {
                try? LimitReader(store, slotSeconds: limits.slotSeconds, secret: secret).read(charges)
            }
            if let uses = read ?? nil {
                let unrecorded = zip(charges, uses).filter { !$1.isRecorded }.map(\.0)
                await gateway.limiter.restore(unrecorded, on: gateway.loop)
                return (zip(uses, gateway.limiter.knownUses(charges)).map { $0.unlessLost($1) }, true)
            }
        }
        return (gateway.limiter.knownUses(charges), false)
    }
}

extension Limit {
    /// Whether the limit has a window of an hour or more, and does not count all callers together.
    fileprivate var isLongOfCaller: Bool {
        kind != .total && quota.windowSeconds >= Quota.TimeUnit.hour.rawValue
    }
}
