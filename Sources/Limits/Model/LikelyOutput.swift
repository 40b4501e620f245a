/// The output that a request is assumed to make, and what it needs of each unit, by which it reserves.
package struct LikelyOutput: Sendable, Equatable {
    /// The tokens that the response is likely to have, for all its choices.
    package private(set) var likely: Int
    /// The most tokens that the response can have, for all its choices; nil if nothing bounds it.
    package let asked: Int?
    private let assumed: Int
    /// The part of `likely` that the request itself demands, for reasoning.
    package let demanded: Int
    /// Whether the relay sees all output while it arrives, so that the response can reserve more then.
    package let isSeen: Bool
    private let needs: OutputNeeds

    /// The output that is assumed for a choice without any bound.
    package static let unbounded = 4_096

    /// - Parameter assumed: the most output that is assumed for all choices together if nothing bounds it.
    package init(
        likely: Int,
        asked: Int?,
        assuming assumed: Int = unbounded,
        demanding demanded: Int = 0,
        isSeen: Bool,
        _ needs: OutputNeeds
    ) {
        self.likely = min(likely + demanded, asked ?? .max)
        self.asked = asked
        self.assumed = assumed
        self.demanded = min(demanded, self.likely)
        self.isSeen = isSeen
        self.needs = needs
    }

    /// The response's need of a unit; nil if its use is known before the call.
    package subscript(unit: Quota.Unit) -> OutputNeed? { needs[unit] }

    /// The amounts without which no limit admits the request.
    package var minimum: Amounts { needs.amounts { $0.usualPrompt + $0.units(ofOutput: likely) } }

    /// The amounts that the request reserves if they are free.
    package var reserved: Amounts { needs.amounts { $0.dearestPrompt + $0.units(ofOutput: surely) } }

    /// The most output for which the request reserves, if it is more than what is likely but not half of what is free.
    private var surely: Int { min(most, 4 * min(likely, Quota.countBound)) }

    /// The most output for which the request reserves at all before its call.
    private var most: Int { isSeen ? likely : possible }

    /// The most output that the response is assumed to make, however it arrives.
    private var possible: Int { asked ?? max(likely, assumed) }

    /// Returns the output of two calls of one request together, as a panel's members.
    package static func + (one: LikelyOutput, other: LikelyOutput) -> LikelyOutput {
        let (likely, possible) = (one.likely + other.likely, one.possible + other.possible)
        // So the reservation pays the shares of both calls, be it for the likely output or for all of it.
        func price(_ own: OutputNeed, _ others: OutputNeed) -> Int {
            func mean(_ tokens: Int, of all: Int) -> Double {
                let part = Double(tokens) / Double(max(1, all))
                return Double(own.perMillion) * part + Double(others.perMillion) * (1 - part)
            }
            return Int(max(mean(one.likely, of: likely), mean(one.possible, of: possible)).rounded(.up))
        }
        return LikelyOutput(
            likely: likely,
            asked: one.asked.flatMap { own in other.asked.map { own + $0 } },
            assuming: possible,
            isSeen: false,
            OutputNeeds(
                usual: one.needs.amounts(\.usualPrompt) + other.needs.amounts(\.usualPrompt),
                dearest: one.needs.amounts(\.dearestPrompt) + other.needs.amounts(\.dearestPrompt),
                perMillion: Amounts(
                    tokens: price(one.needs.tokens, other.needs.tokens),
                    usd: price(one.needs.usd, other.needs.usd),
                    credits: price(one.needs.credits, other.needs.credits)
                )
            )
        )
    }

    /// Returns a call's part of so many tokens that are paid for all calls: at least in proportion to its likely output, at
    /// most all the output that it can make.
    package func share(of paid: Int, for part: LikelyOutput) -> Int {
        let (beyond, most) = (paid - likely, possible - likely)
        guard beyond > 0, most > 0 else { return Int(Double(paid) * Double(part.likely) / Double(max(1, likely))) }
        return part.likely + Int(Double(min(beyond, most)) / Double(most) * Double(part.possible - part.likely))
    }

    /// Lowers the likely output to what each limit can pay beside the prompt.
    package mutating func fit(_ charges: [LimitCharge]) {
        for charge in charges {
            guard let need = self[charge.limit.quota.unit] else { continue }
            likely = max(demanded, min(likely, need.output(paidBy: charge.limit.quota.count - need.usualPrompt)))
        }
    }

    /// Returns the charge of a limit; nil if the response needs nothing of it.
    package func charge(_ charge: LimitCharge) -> LimitCharge? {
        guard let need = self[charge.limit.quota.unit] else { return charge }
        let large = need.dearestPrompt + need.units(ofOutput: most)
        guard large > 0 else { return nil }
        return LimitCharge(
            charge.limit,
            charge.identity,
            units: max(1, minimum[charge.limit.quota.unit]),
            upTo: need.dearestPrompt + need.units(ofOutput: surely),
            ifHalfIsFree: large
        )
    }

    /// Returns the charge by which a running response reserves so many further tokens; nil if they cost nothing.
    package func draw(_ tokens: Int, _ charge: LimitCharge) -> LimitCharge? {
        guard let need = self[charge.limit.quota.unit], need.perMillion > 0 else { return nil }
        let least = need.units(ofOutput: min(tokens, Allowance.leastDraw))
        return charge.drawing(least, upTo: need.units(ofOutput: tokens))
    }
}
