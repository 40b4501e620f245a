package import Engine
package import Limits

/// The limits that cover a request.
///
/// `@unchecked`: used on one loop only.
package final class LimitBook: @unchecked Sendable {
    private struct Key: Hashable {
        let caller: Identity
        let group: EndpointGroup
        /// The model, if some limit counts by model.
        let model: String?

        /// Mostly it does not.
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
    /// Some limit counts what is known only after a call.
    package let countsLate: Bool
    /// True if the limits that cover a request may depend on its model.
    package var dependsOnModels: Bool { !byModel.isEmpty }
    /// Of callers who are told apart by their keys alone: the same for each of their requests.
    private var kept = RecentTable<Key, Cover>()

    private static let keptCovers = 4_096

    /// - Parameter keys: the callers that are known, for their own limits.
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

    /// - Parameter model: as the caller names it; nil: the request is about none.
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

    /// The limits of the model alone, for one of the calls of a request that was counted: requests are not counted again.
    package func coverOfPart(_ caller: Caller, _ request: Request, model: String) -> Cover {
        oneLoop.check()
        let models = limits(of: model).filter { $0.quota.unit != .requests }
        if models.isEmpty { return Cover([]) }
        let identity = identity(of: caller, address(request)).using(model)
        return Cover(models.map { Claim($0, identity) })
    }

    /// Those of the first pattern that fits.
    private func limits(of model: String?) -> [Limit] {
        guard !byModel.isEmpty, let model else { return [] }
        return byModel.first { $0.pattern.matches(model) }?.limits ?? []
    }

    /// For a key that was wrong.
    package func coverOfFailure(_ request: Request) -> Cover {
        countsFailures ? coverOfFailure(from: address(request)) : Cover([])
    }

    /// For a key that came from there.
    package func coverOfFailure(from address: String) -> Cover {
        let identity = Identity.address(address)
        return Cover(failedAuth.map { Claim($0, identity) })
    }

    /// Wrong keys are limited.
    package var countsFailures: Bool { !failedAuth.isEmpty }

    /// Whom an address stands for.
    package func address(_ request: Request) -> String {
        request.clientAddress(trusting: trustedProxies).callerText
    }

    /// A limit of a caller, and the model whose requests it counts; nil: it does not look at models.
    package typealias Demand = (claim: Claim, model: String?)

    /// All that counts requests of a caller, each once: of any group, then of each of these models.
    ///
    /// - Parameter address: the caller's; nil: limits that count by address are left out.
    package func demands(of caller: Caller, models: [String], from address: String? = nil) -> [Demand] {
        let isNamed = identity == .key && caller.identity != nil
        var seen: Set<Identity> = []
        var demands: [Demand] = []
        for claim in EndpointGroup.allCases.flatMap({ claims(caller, $0, [], nil, address ?? "") }) {
            if case .caller = claim.limit.kind, !isNamed, address == nil { continue }
            // Of one limit and one caller there is one record.
            if seen.insert(claim.identity.using(claim.limit.id)).inserted { demands.append((claim, nil)) }
        }
        guard isNamed || address != nil else { return demands }
        let who = identity(of: caller, address ?? "")
        // Several providers may have one name.
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
            // Limits set for a known key belong to that key, from any address.
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

/// The limits that cover a request.
package struct Cover: Sendable {
    private let claims: [Claim]
    /// Each request uses the same of them: itself.
    package let isPlain: Bool

    fileprivate init(_ claims: [Claim]) {
        self.claims = claims
        isPlain = claims.allSatisfy { $0.limit.quota.unit == .requests || $0.limit.quota.unit == .concurrent }
    }

    /// The demands of a request that may use such amounts. A limit of a unit of which it uses nothing does not cover
    /// it.
    ///
    /// - Parameter minimum: the part of `amounts` that is no guess. A guess is cut to what fits in a limit beside it, so
    ///   that a wrong one keeps nobody out.
    package func claims(of amounts: Amounts, atLeast minimum: Amounts? = nil) -> [Claim] {
        if isPlain { return claims }
        return claims.compactMap { claim in
            let quota = claim.limit.quota
            var units = amounts[quota.unit]
            if let minimum, units > quota.count { units = min(units, max(minimum[quota.unit], quota.count)) }
            return units > 0 ? Claim(claim.limit, claim.identity, units: units) : nil
        }
    }

    /// Whether the amounts, if they are estimates of a prompt, may in truth be more than some limit has in all.
    package func isNearlyFilled(by amounts: Amounts) -> Bool {
        claims.contains { claim in
            let quota = claim.limit.quota
            guard quota.unit == .tokens || quota.unit == .usd || quota.unit == .credits else { return false }
            // A number of halves that is too large for this is over each limit.
            let (most, isTooLarge) = amounts[quota.unit].multipliedReportingOverflow(by: PromptEstimate.factorHalves)
            return isTooLarge || most / 2 > quota.count
        }
    }
}
