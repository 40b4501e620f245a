import Engine
package import Limits

package struct ApplicableLimits: Sendable {
    private let charges: [LimitCharge]
    /// Whether every limit counts requests or concurrent requests, and none counts another unit such as tokens.
    package let isPlain: Bool

    init(_ charges: [LimitCharge]) {
        self.charges = charges
        isPlain = charges.allSatisfy { $0.limit.quota.unit == .requests || $0.limit.quota.unit == .concurrent }
    }

    func adding(_ more: [LimitCharge]) -> ApplicableLimits {
        more.isEmpty ? self : ApplicableLimits(charges + more)
    }

    /// Returns the charge of each limit for a request. Omits limits of which the request needs no units.
    /// - Parameters:
    ///   - amounts: the tokens, images, dollars and credits that the request needs, known or estimated.
    ///   - minimum: the amounts that the request certainly needs. A limit with fewer free units than `amounts` counts
    ///     only the free ones, but not fewer than `minimum`. If nil, the request needs all of `amounts`.
    package func charges(of amounts: Amounts, atLeast minimum: Amounts? = nil) -> [LimitCharge] {
        if isPlain { return charges }
        return charges.compactMap { charge in
            let unit = charge.limit.quota.unit
            let wish = amounts[unit]
            guard wish > 0 else { return nil }
            let units = minimum.map { max(1, min(wish, $0[unit])) } ?? wish
            return LimitCharge(charge.limit, charge.identity, units: units, upTo: wish)
        }
    }

    /// Returns the charge of each limit for a response with this likely output. Omits limits of which it needs no units.
    package func charges(of output: LikelyOutput, images: Int) -> [LimitCharge] {
        if isPlain { return charges }
        var output = output
        output.fit(charges)
        return charges.compactMap { charge in
            guard charge.limit.quota.unit == .images else { return output.charge(charge) }
            return images > 0 ? LimitCharge(charge.limit, charge.identity, units: images) : nil
        }
    }

    /// Returns whether a request of these amounts might exceed a limit of tokens, dollars or credits. Adds half of each
    /// amount before comparing, because amounts are estimates.
    package func mayBeExceeded(by amounts: Amounts) -> Bool {
        charges.contains { charge in
            let quota = charge.limit.quota
            guard quota.unit == .tokens || quota.unit == .usd || quota.unit == .credits else { return false }
            // If the multiplication overflows, the amount exceeds every limit.
            let (most, isTooLarge) = amounts[quota.unit].multipliedReportingOverflow(by: PromptEstimate.factorHalves)
            return isTooLarge || most / 2 > quota.count
        }
    }
}

/// The facts of a request by which limits apply to it: its sender and its aim. `ApplicableLimits.charges` adds the units
/// that it needs.
package struct Demand: Sendable {
    package var caller: Caller
    package let group: EndpointGroup
    /// The model as the caller names it; nil if the request has none.
    package var model: String?
    /// The model's second name, which patterns may match, too; nil if there is none.
    package var modelShortName: String?
    package var user = EndUser()
    /// The digest of the session's name; nil without a session, or if no limit counts sessions.
    var session: Digest?
    /// The client's address as limits count it; empty if the caller's key alone identifies the caller.
    var address = ""
}
