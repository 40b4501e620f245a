import Engine

extension Price {
    /// The service tiers that a request may get.
    package enum Tiers: Sendable, Equatable {
        case any
        /// Only one tier; nil is the usual one.
        case one(ServiceTier?)

        /// Creates the tiers of a request from the word in its field `service_tier`; nil if the field is absent.
        package init(requested word: String?) {
            switch word {
            case nil, "auto": self = .any
            case let word?: self = .one(ServiceTier(word: word))
            }
        }
    }

    /// Returns whether the cost of a call at this tier, speed or place is known, or at most that of the plain one.
    package func knows(tier word: String) -> Bool {
        ServiceTier.isPlain(word) || ServiceTier(word: word).map { knows($0) } ?? isFree
    }

    package func knows(_ tier: ServiceTier) -> Bool {
        if isFree || tier.isCheaper { return true }
        guard let fields = terms?.fields else { return false }
        return fields.usesReported || fields.pricesAnyTier || fields.tiers.contains(tier)
    }

    /// Returns the highest possible cost of a call with this estimated usage: the prompt is written into the vendor's
    /// cache, and its length and service tier are the dearest that are possible.
    /// - Parameter calls: the number of calls that may have this usage together.
    package func highestCost(_ usage: Usage, calls: Int = 1, tiers: Tiers = .any) -> Cost {
        var highest = Cost.nothing
        forEachPossible(usage.promptTokens, tiers) { prices in
            let prompt = max(
                prices.dearestPromptPicodollars,
                usage.audioPromptTokens > 0 ? prices.audioPromptPicodollars : 0
            )
            let completion = max(
                prices.completionPicodollars,
                prices.reasoningPicodollars,
                usage.audioCompletionTokens > 0 ? prices.audioCompletionPicodollars : 0
            )
            highest = max(highest, Cost(usage.promptTokens, at: prompt) + Cost(usage.completionTokens, at: completion))
        }
        if let piece = terms?.fields.piece, usage.pieceUnit.priced == piece.unit {
            highest = highest + Cost(usage.pieces, at: piece.picodollars, per: piece.size)
        }
        highest = highest + Cost(calls, at: requestCost.picodollars)
        guard !usage.toolUses.isEmpty, let fees = terms?.fields.fees else { return highest }
        return HostedTool.allCases.reduce(highest) { $0 + Cost(usage.toolUses[$1], at: fees[$1]) }
    }

    /// Returns the lowest possible cost of a call with this estimated usage: the whole prompt is read from the vendor's
    /// cache, and the output is of the cheapest kind.
    package func lowestCost(_ usage: Usage, tiers: Tiers = .any) -> Cost {
        var lowest: Cost?
        forEachPossible(usage.promptTokens, tiers) { prices in
            let cost =
                Cost(usage.promptTokens, at: prices.cheapestPromptPicodollars)
                + Cost(usage.completionTokens, at: min(prices.completionPicodollars, prices.reasoningPicodollars))
            lowest = lowest.map { min($0, cost) } ?? cost
        }
        guard let piece = terms?.fields.piece, usage.pieceUnit.priced == piece.unit else {
            return (lowest ?? .nothing) + requestCost
        }
        return (lowest ?? .nothing) + Cost(usage.pieces, at: piece.picodollars, per: piece.size)
    }

    /// Calls `body` with the prices of tokens at each possible tier, for prompts within the error of an estimate.
    private func forEachPossible(_ promptTokens: Int, _ tiers: Tiers, _ body: (TokenPrices) -> Void) {
        guard let conditions = terms?.fields.conditions, !conditions.isEmpty else {
            if let plain { body(plain) }
            return
        }
        let error = promptTokens / 2
        let lengths = [promptTokens - promptTokens / 3, promptTokens, promptTokens.addingReportingOverflow(error).0]
        let all: [ServiceTier?]
        switch tiers {
        case .any: all = [nil] + (terms?.fields.tiers ?? [])
        case .one(let tier): all = [tier]
        }
        for tier in all {
            for length in lengths {
                if let prices = tokenPrices(promptTokens: length, tier: tier) { body(prices) }
            }
        }
    }
}
