package import Engine
package import Limits

/// All configured limits. Finds those that apply to a request.
///
/// `@unchecked`: used on one event loop only.
package final class LimitBook: @unchecked Sendable {
    private struct Key: Hashable {
        let caller: Identity
        let group: EndpointGroup
        /// The model; nil if no limit counts this model.
        let model: String?

        /// Hashes the key. Most keys have no model, so a missing model adds nothing to the hash.
        func hash(into hasher: inout Hasher) {
            hasher.combine(caller)
            hasher.combine(group)
            if let model { hasher.combine(model) }
        }
    }
    private let oneLoop = OneLoop()
    private let identity: LimitSettings.Identity
    private let trustedProxies: [Network]
    private let limits: [EndpointGroup: [Limit]]
    private let byModel: [(pattern: ModelPattern, limits: [Limit])]
    private let total: [Limit]
    private let failedAuth: [Limit]
    private let isOff: Bool
    /// Whether some limit counts units that are known only after the call.
    package let countsLate: Bool
    /// Whether the limits of a request may depend on its model.
    package var dependsOnModels: Bool { !byModel.isEmpty }
    /// Cached covers of callers that are identified by their keys alone, so that all their requests have the same
    /// limits.
    private var kept = RecentTable<Key, Cover>()

    private static let keptCovers = 4_096

    /// - Parameter keys: the known callers, whose own limits also count.
    package init(_ own: LimitSettings, _ keys: [KeySettings]) {
        identity = own.identity
        trustedProxies = own.trustedProxies
        limits = Dictionary(
            uniqueKeysWithValues: own.groups.map { group, quotas in
                (group, quotas.map { Limit(.caller(group), $0) })
            }
        )
        byModel = own.byModel.map { row in (row.pattern, row.quotas.map { Limit(.model, $0) }) }
        total = own.total.map { Limit(.total, $0) }
        failedAuth = own.failedAuth.map { Limit(.failedAuth, $0) }
        let all =
            own.groups.values.joined() + own.byModel.flatMap(\.quotas) + own.total
            + keys.flatMap { $0.quotas + $0.groupQuotas.values.joined() }
        isOff = all.isEmpty
        countsLate = all.contains { $0.unit.isKnownLate }
    }

    /// Returns the limits that apply to a request of a caller.
    ///
    /// - Parameter model: the model as the caller names it; nil: the request has no model.
    package func cover(_ caller: Caller, _ group: EndpointGroup, _ request: Request, model: String? = nil) -> Cover {
        oneLoop.check()
        if isOff { return Cover([]) }
        let models = limits(of: model)
        let model = models.isEmpty ? nil : model
        guard let who = caller.identity, identity == .key else {
            return cover(caller, group, models, model, address(request))
        }
        let key = Key(caller: who, group: group, model: model)
        if let known = kept.use(key) { return known }
        let cover = cover(caller, group, models, model, "")
        kept.set(key, cover, atMost: Self.keptCovers)
        return cover
    }

    /// Returns the limits of a model alone, for one call of a request that was already counted. Limits that count
    /// requests are left out.
    package func coverOfPart(_ caller: Caller, _ request: Request, model: String) -> Cover {
        oneLoop.check()
        let models = limits(of: model).filter { $0.quota.unit != .requests }
        if models.isEmpty { return Cover([]) }
        let identity = identity(of: caller, address(request)).using(model)
        return Cover(models.map { Claim($0, identity) })
    }

    /// Returns the limits of the first model pattern that matches.
    private func limits(of model: String?) -> [Limit] {
        guard !byModel.isEmpty, let model else { return [] }
        return byModel.first { $0.pattern.matches(model) }?.limits ?? []
    }

    /// Returns the limits that count a request with a wrong key.
    package func coverOfFailure(_ request: Request) -> Cover {
        countsFailures ? coverOfFailure(from: address(request)) : Cover([])
    }

    /// Returns the limits that count a wrong key from this address.
    package func coverOfFailure(from address: String) -> Cover {
        let identity = Identity.address(address)
        return Cover(failedAuth.map { Claim($0, identity) })
    }

    /// Whether requests with wrong keys are limited.
    package var countsFailures: Bool { !failedAuth.isEmpty }

    /// Returns the text that identifies the client's address in limits.
    package func address(_ request: Request) -> String {
        request.clientAddress(trusting: trustedProxies).callerText
    }

    /// A limit of a caller, and the model whose requests it counts; the model is nil if the limit covers all models.
    package typealias Demand = (claim: Claim, model: String?)

    /// Returns all limits that count requests of a caller, each once: first those of any endpoint group, then those of
    /// each of these models.
    ///
    /// - Parameter address: the caller's address; nil: limits that count by address are left out.
    package func demands(of caller: Caller, models: [String], from address: String? = nil) -> [Demand] {
        let isNamed = identity == .key && caller.identity != nil
        var seen: Set<Identity> = []
        var demands: [Demand] = []
        for claim in EndpointGroup.allCases.flatMap({ claims(caller, $0, [], nil, address ?? "") }) {
            if case .caller = claim.limit.kind, !isNamed, address == nil { continue }
            // One limit and one caller share one record, whatever the group is.
            if seen.insert(claim.identity.using(claim.limit.id)).inserted { demands.append((claim, nil)) }
        }
        guard isNamed || address != nil else { return demands }
        let who = identity(of: caller, address ?? "")
        // Several providers may offer the same model name.
        var named: Set<String> = []
        for model in models where named.insert(model).inserted {
            demands += limits(of: model).map { (Claim($0, who.using(model)), model) }
        }
        return demands
    }

    private func cover(
        _ caller: Caller,
        _ group: EndpointGroup,
        _ models: [Limit],
        _ model: String?,
        _ address: String
    ) -> Cover {
        Cover(claims(caller, group, models, model, address))
    }

    private func claims(
        _ caller: Caller,
        _ group: EndpointGroup,
        _ models: [Limit],
        _ model: String?,
        _ address: String
    ) -> [Claim] {
        let identity = identity(of: caller, address)
        var claims: [Claim] = []
        if let key = caller.key, let own = caller.identity {
            // The limits of a known key belong to that key, whatever address it comes from.
            if let quotas = key.groupQuotas[group] {
                claims = quotas.map { Claim(Limit(.key(group), $0), own) }
            } else {
                claims = (limits[group] ?? []).map { Claim($0, identity) }
            }
            claims += key.quotas.map { Claim(Limit(.key(nil), $0), own) }
        } else {
            claims = (limits[group] ?? []).map { Claim($0, identity) }
        }
        if let model { claims += models.map { Claim($0, identity.using(model)) } }
        claims += total.map { Claim($0, .everybody) }
        return claims.filter { group.units.contains($0.limit.quota.unit) }
    }

    private func identity(of caller: Caller, _ address: String) -> Identity {
        guard let key = caller.identity, identity != .address else { return .address(address) }
        return identity == .keyAndAddress ? key.from(address) : key
    }
}

/// The limits that apply to a request.
package struct Cover: Sendable {
    private let claims: [Claim]
    /// Whether every limit counts only requests or concurrent requests, so that each request uses exactly one unit of
    /// each limit.
    package let isPlain: Bool

    fileprivate init(_ claims: [Claim]) {
        self.claims = claims
        isPlain = claims.allSatisfy { $0.limit.quota.unit == .requests || $0.limit.quota.unit == .concurrent }
    }

    /// Returns the units that a request needs of each limit. A limit is left out if the request uses none of its unit.
    ///
    /// - Parameter minimum: the part of `amounts` that is certain. An estimate above it is reduced to what the limit
    ///   allows, so that a wrong estimate alone rejects no request.
    package func claims(of amounts: Amounts, atLeast minimum: Amounts? = nil) -> [Claim] {
        if isPlain { return claims }
        return claims.compactMap { claim in
            let quota = claim.limit.quota
            var units = amounts[quota.unit]
            if let minimum, units > quota.count { units = min(units, max(minimum[quota.unit], quota.count)) }
            return units > 0 ? Claim(claim.limit, claim.identity, units: units) : nil
        }
    }

    /// Returns whether the amounts, if they are estimates of a prompt, could really exceed the total of some limit.
    package func isNearlyFilled(by amounts: Amounts) -> Bool {
        claims.contains { claim in
            let quota = claim.limit.quota
            guard quota.unit == .tokens || quota.unit == .usd || quota.unit == .credits else { return false }
            // If the multiplication overflows, the amount exceeds every limit.
            let (most, isTooLarge) = amounts[quota.unit].multipliedReportingOverflow(by: PromptEstimate.factorHalves)
            return isTooLarge || most / 2 > quota.count
        }
    }
}
