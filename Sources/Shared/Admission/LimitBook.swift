package import Engine
package import Limits

/// The limits that the settings configure. The book finds those that apply to a request.
package final class LimitBook: OnLoop, @unchecked Sendable {
    private struct Key: Hashable {
        let caller: Identity
        let group: EndpointGroup
        /// The requested model's name; nil if no limit is configured for this model.
        let model: String?

        func hash(into hasher: inout Hasher) {
            hasher.combine(caller)
            hasher.combine(group)
            if let model { hasher.combine(model) }
        }
    }
    private let oneLoop = OneLoop()
    private let identity: LimitSettings.Identity
    private let trustedProxies: [Network]
    private let settings: LimitSettings
    private let zone: DayZone
    /// The current month and day of the calendar, if some limit counts them.
    private var periods: CalendarPeriods?
    private var limits: [EndpointGroup: [Limit]] = [:]
    private var byModel: [(pattern: ModelPattern, limits: [Limit])] = []
    private var total: [Limit] = []
    private var failedAuth: [Limit] = []
    private let usage = Limit(.usage, Quota(30, per: .minute))
    private let countsSessions: Bool
    /// Whether some limit counts end users.
    package let countsUsers: Bool
    private var ofSessions: [Quota: Limit] = [:]
    private var ofUsers: [Quota: Limit] = [:]
    private let isOff: Bool
    /// Whether some limit counts a unit whose amount is known only after the upstream call, such as tokens.
    package let countsLate: Bool
    package let countsCost: Bool
    /// Whether some limit counts 1min.ai's credits.
    package let countsCredits: Bool
    /// Whether some limit is configured for particular models.
    package var dependsOnModels: Bool { !byModel.isEmpty }
    /// A cache of the limits that apply to each caller. It is used only if limits identify callers by key alone,
    /// without the address.
    private var kept = RecentTable<Key, ApplicableLimits>()

    private static let keptCovers = 4_096

    package init(_ own: LimitSettings, _ keys: [KeySettings], zone: DayZone) {
        (settings, self.zone) = (own, zone)
        identity = own.identity
        trustedProxies = own.trustedProxies
        let all =
            own.groups.values.joined() + own.byModel.flatMap(\.quotas) + own.total + own.session + own.user
            + keys.flatMap(\.allQuotas)
        isOff = all.isEmpty
        countsSessions = !own.session.isEmpty || keys.contains { !($0.ownSessionQuotas ?? []).isEmpty }
        countsUsers = !own.user.isEmpty || keys.contains { !($0.ownUserQuotas ?? []).isEmpty }
        countsLate = all.contains { $0.unit.isKnownLate }
        countsCost = all.contains { $0.unit == .usd }
        countsCredits = all.contains { $0.unit == .credits }
        if (all + own.failedAuth).contains(where: \.isCalendar) { periods = CalendarPeriods(in: zone) }
        makeLimits()
    }

    private func makeLimits() {
        limits = Dictionary(
            uniqueKeysWithValues: settings.groups.map { group, quotas in
                (group, quotas.map { limit(.caller(group), $0) })
            }
        )
        byModel = settings.byModel.map { row in (row.pattern, row.quotas.map { limit(.model, $0) }) }
        total = settings.total.map { limit(.total, $0) }
        failedAuth = settings.failedAuth.map { limit(.failedAuth, $0) }
    }

    private func limit(_ kind: Limit.Kind, _ quota: Quota, of group: String? = nil) -> Limit {
        Limit(kind, quota, ofGroup: group, in: periods?.period(of: quota))
    }

    /// Begins other periods of the calendar, if the current time is not in those of before.
    private func refreshPeriods() {
        let now = periods == nil ? 0 : Timestamp.now()
        guard let periods, !periods.contain(milliseconds: now) else { return }
        self.periods = CalendarPeriods(in: zone, atMilliseconds: now)
        kept = RecentTable()
        (ofSessions, ofUsers) = ([:], [:])
        makeLimits()
    }

    /// Returns what a request demands of the limits. Reads only what some limit needs.
    package func demand(of caller: Caller, _ group: EndpointGroup, _ request: Request) -> Demand {
        Demand(
            caller: caller,
            group: group,
            user: countsUsers ? EndUser(settings.userPlaces, of: request) : EndUser(),
            session: countsSessions ? request.session.map { Digest(of: $0) } : nil,
            address: isOff ? "" : countedAddress(of: caller, request)
        )
    }

    package func applicableLimits(_ demand: Demand) -> ApplicableLimits {
        oneLoop.check()
        if isOff { return ApplicableLimits([]) }
        refreshPeriods()
        var limits = limitsOfAllSessions(demand)
        if countsSessions { limits = limits.adding(sessionCharges(demand)) }
        if countsUsers { limits = limits.adding(userCharges(demand)) }
        return limits
    }

    /// Returns the limits that apply to a request, but for those of its session and end user.
    private func limitsOfAllSessions(_ demand: Demand) -> ApplicableLimits {
        let models = limits(of: demand.model, or: demand.modelShortName)
        let model = models.isEmpty ? nil : demand.model
        guard let who = demand.caller.identity, identity == .key else {
            return ApplicableLimits(charges(demand, models: models, model: model))
        }
        let key = Key(caller: who, group: demand.group, model: model)
        if let known = kept.use(key) { return known }
        let applicableLimits = ApplicableLimits(charges(demand, models: models, model: model))
        kept.set(key, applicableLimits, atMost: Self.keptCovers)
        return applicableLimits
    }

    private func sessionCharges(_ demand: Demand) -> [LimitCharge] {
        let quotas = demand.caller.key?.ownSessionQuotas ?? settings.session
        guard !quotas.isEmpty, let session = demand.session else { return [] }
        return charges(quotas, .session, identity(of: demand).inSession(session), demand.group, &ofSessions)
    }

    private func userCharges(_ demand: Demand) -> [LimitCharge] {
        guard let key = demand.caller.key, let own = demand.caller.identity else { return [] }
        let quotas = key.ownUserQuotas ?? settings.user
        guard !quotas.isEmpty, let user = demand.user.digest(at: settings.userPlaces) else { return [] }
        return charges(quotas, .user, own.ofUser(user), demand.group, &ofUsers)
    }

    private func charges(
        _ quotas: [Quota],
        _ kind: Limit.Kind,
        _ identity: Identity,
        _ group: EndpointGroup,
        _ known: inout [Quota: Limit]
    ) -> [LimitCharge] {
        quotas.filter { group.units.contains($0.unit) }
            .map { quota in
                let limit = known[quota] ?? limit(kind, quota)
                known[quota] = limit
                return LimitCharge(limit, identity)
            }
    }

    /// Returns the limits of a model for one of several upstream calls of a request, such as a panel member's. Leaves
    /// out limits that count requests.
    package func limitsOfPartialCall(_ demand: Demand) -> ApplicableLimits {
        oneLoop.check()
        refreshPeriods()
        let models = limits(of: demand.model, or: demand.modelShortName).filter { $0.quota.unit != .requests }
        guard let model = demand.model, !models.isEmpty else { return ApplicableLimits([]) }
        let identity = identity(of: demand).using(model)
        return ApplicableLimits(models.map { LimitCharge($0, identity) })
    }

    /// Returns the limit of a caller's looks at its own limits and usage. They count in no other limit.
    package func limitsOfUsage(_ caller: Caller, _ request: Request) -> ApplicableLimits {
        ApplicableLimits([LimitCharge(usage, identity(of: caller, countedAddress(of: caller, request)))])
    }

    /// Returns the limits of the first model pattern that matches the model.
    /// - Parameter shortName: the other name of the model; nil if there is none.
    private func limits(of model: String?, or shortName: String? = nil) -> [Limit] {
        guard !byModel.isEmpty, let model else { return [] }
        let row = byModel.first { row in
            row.pattern.matches(model) || shortName.map(row.pattern.matches) ?? false
        }
        return row?.limits ?? []
    }

    /// Returns the limits that count a request with an invalid key.
    package func limitsOfFailedAuth(_ request: Request) -> ApplicableLimits {
        countsFailures ? limitsOfFailedAuth(from: address(request)) : ApplicableLimits([])
    }

    /// Returns the limits that count a request with an invalid key from this address.
    package func limitsOfFailedAuth(from address: String) -> ApplicableLimits {
        let identity = Identity.address(address)
        refreshPeriods()
        return ApplicableLimits(failedAuth.map { LimitCharge($0, identity) })
    }

    /// Whether some limit counts requests with invalid keys.
    package var countsFailures: Bool { !settings.failedAuth.isEmpty }

    /// Returns the client's address as limits count it: an IPv4 address, or the /64 network of an IPv6 address.
    package func address(_ request: Request) -> String { client(of: request).callerText }

    /// Returns the client's address as limits count it; empty if the key alone identifies the caller.
    private func countedAddress(of caller: Caller, _ request: Request) -> String {
        identity == .key && caller.identity != nil ? "" : address(request)
    }

    /// Returns the client's address, as trusted proxies report it.
    package func client(of request: Request) -> PeerAddress { request.clientAddress(trusting: trustedProxies) }

    /// A limit that can apply to a caller. `model` is the model whose requests it counts; nil for all models.
    package typealias PossibleLimit = (charge: LimitCharge, model: String?)

    /// Returns all limits that can apply to a caller, without duplicates.
    /// - Parameter address: the caller's address; if nil, limits by address are left out.
    package func possibleLimits(
        of caller: Caller,
        models: [(name: String, shortName: String?)],
        from address: String? = nil
    ) -> [PossibleLimit] {
        refreshPeriods()
        let isNamed = identity == .key && caller.identity != nil
        var seen: Set<Identity> = []
        var possible: [PossibleLimit] = []
        for charge in EndpointGroup.allCases.flatMap({ group in
            charges(Demand(caller: caller, group: group, address: address ?? ""), models: [], model: nil)
        }) {
            if case .caller = charge.limit.kind, !isNamed, address == nil { continue }
            // One limit and one caller share one record, whatever the group is.
            if seen.insert(charge.identity.using(charge.limit.id)).inserted { possible.append((charge, nil)) }
        }
        guard isNamed || address != nil else { return possible }
        let who = identity(of: caller, address ?? "")
        // Several providers may offer the same model name.
        var named: Set<String> = []
        for (model, shortName) in models where named.insert(model).inserted {
            possible += limits(of: model, or: shortName).map { (LimitCharge($0, who.using(model)), model) }
        }
        return possible
    }

    /// The limits that count the requests of all callers together.
    package var limitsOfAll: [PossibleLimit] {
        refreshPeriods()
        return total.map { (LimitCharge($0, .everybody), nil) }
    }

    private func charges(_ demand: Demand, models: [Limit], model: String?) -> [LimitCharge] {
        let (caller, group, identity) = (demand.caller, demand.group, identity(of: demand))
        var charges: [LimitCharge] = []
        if let key = caller.key, let own = caller.identity {
            // The limits of a known key belong to that key, whatever address it comes from.
            if let quotas = key.limits.endpoints[group] {
                charges = quotas.map { LimitCharge(limit(.key(group), $0), own) }
            } else {
                charges = (limits[group] ?? []).map { LimitCharge($0, identity) }
            }
            charges += key.limits.all.map { LimitCharge(limit(.key(nil), $0), own) }
            for callers in key.groups {
                let quotas = (callers.limits.endpoints[group] ?? []).map { (Limit.Kind.group(group), $0) }
                charges += (quotas + callers.limits.all.map { (.group(nil), $0) }).map {
                    LimitCharge(limit($0, $1, of: callers.name), callers.identity)
                }
            }
        } else {
            charges = (limits[group] ?? []).map { LimitCharge($0, identity) }
        }
        if let model { charges += models.map { LimitCharge($0, identity.using(model)) } }
        charges += total.map { LimitCharge($0, .everybody) }
        return charges.filter { group.units.contains($0.limit.quota.unit) }
    }

    private func identity(of demand: Demand) -> Identity { identity(of: demand.caller, demand.address) }

    private func identity(of caller: Caller, _ address: String) -> Identity {
        guard let key = caller.identity, identity != .address else { return .address(address) }
        return identity == .keyAndAddress ? key.from(address) : key
    }
}
