/// A line of a bill: an amount of one unit and its price.
package struct BillLine: Sendable, Equatable {
    package enum Unit: Sendable, Equatable {
        case prompt
        case cachedPrompt
        case cacheWrite
        case longCacheWrite
        case audioPrompt
        case completion
        case audioCompletion
        case reasoning
        case use(HostedTool)
        case pieces(PieceUnit)
        case request
        /// The cost of a call as the vendor reported it.
        case reportedCost
        /// A credit of 1min.ai.
        case credit

        package var name: StaticString {
            switch self {
            case .prompt: "prompt"
            case .cachedPrompt: "cached prompt"
            case .cacheWrite: "cache write"
            case .longCacheWrite: "cache write 1h"
            case .audioPrompt: "audio prompt"
            case .completion: "completion"
            case .audioCompletion: "audio completion"
            case .reasoning: "reasoning"
            case .use(let tool): tool.name
            case .pieces(.image): "image"
            case .pieces(.second): "second"
            case .pieces(.character): "character"
            case .pieces(.search): "search"
            case .request: "request"
            case .reportedCost: "reported cost"
            case .credit: "credit"
            }
        }
    }

    package let unit: Unit
    package let amount: Int
    /// The price of `size` units.
    package let price: Cost
    /// The number of units that the price is for.
    package let size: Int
    /// The cost of the whole amount.
    package let product: Cost

    /// - Parameter picodollars: the price of `size` units.
    init(_ unit: Unit, _ amount: Int, at picodollars: Int, per size: Int = 1) {
        self.unit = unit
        self.amount = amount
        self.price = Cost(picodollars: picodollars)
        self.size = size
        product = Cost(amount, at: picodollars, per: size)
    }
}

extension Price {
    /// Calls `emit` with each line of a call's bill. The sum of the lines is the cost of the call.
    ///
    /// Returns false if the cost is unknown.
    package func forEachLine(of usage: Usage, credits: Int? = nil, _ emit: (BillLine) -> Void) -> Bool {
        if let cost = usage.reportedCost, terms?.fields.usesReported ?? false {
            emit(BillLine(.reportedCost, 1, at: cost.picodollars))
            return true
        }
        if let credits, let picodollars = terms?.fields.creditPicodollars {
            if credits > 0 { emit(BillLine(.credit, credits, at: picodollars)) }
            return true
        }
        let piece = terms?.fields.piece.flatMap { usage.pieces > 0 && usage.pieceUnit.priced == $0.unit ? $0 : nil }
        if let prices = tokenPrices(promptTokens: usage.promptTokens, tier: usage.serviceTier) {
            prices.forEachLine(of: usage, emit)
        } else if piece == nil {
            // Nothing used costs nothing.
            return usage.totalTokens == 0 && usage.pieces == 0 && usage.toolUses.isEmpty
        }
        if let piece { emit(BillLine(.pieces(usage.pieceUnit), usage.pieces, at: piece.picodollars, per: piece.size)) }
        if let picodollars = terms?.fields.requestPicodollars, picodollars > 0, usage.totalTokens > 0 {
            emit(BillLine(.request, 1, at: picodollars))
        }
        guard !usage.toolUses.isEmpty, let fees = terms?.fields.fees, !fees.isEmpty else { return true }
        for tool in HostedTool.allCases where fees[tool] > 0 && usage.toolUses[tool] > 0 {
            emit(BillLine(.use(tool), usage.toolUses[tool], at: fees[tool]))
        }
        return true
    }
}

extension TokenPrices {
    fileprivate func forEachLine(of usage: Usage, _ emit: (BillLine) -> Void) {
        func add(_ unit: BillLine.Unit, _ amount: Int, _ picodollars: Int) {
            if amount > 0 { emit(BillLine(unit, amount, at: picodollars)) }
        }
        let prompt = max(0, usage.promptTokens - usage.unbilledPromptTokens)
        let cached = min(max(0, usage.cachedTokens), prompt)
        let written = min(max(0, usage.cacheWriteTokens), prompt - cached)
        let long = min(usage.longCacheWriteTokens, written)
        let cachedAudio = min(usage.cachedAudioTokens, usage.audioPromptTokens, cached)
        let audio = min(usage.audioPromptTokens - cachedAudio, prompt - cached - written)
        add(.prompt, prompt - cached - written - audio, promptPicodollars)
        add(.cachedPrompt, cached, cachedPicodollars)
        add(.cacheWrite, written - long, cacheWritePicodollars)
        add(.longCacheWrite, long, longCacheWritePicodollars)
        add(.audioPrompt, audio, audioPromptPicodollars)
        let completion = max(0, usage.completionTokens - usage.unbilledCompletionTokens)
        let audioCompletion = min(usage.audioCompletionTokens, completion)
        let other = completion - audioCompletion
        let reasoning = reasoningPicodollars == completionPicodollars ? 0 : max(0, min(usage.reasoningTokens, other))
        add(.completion, other - reasoning, completionPicodollars)
        add(.audioCompletion, audioCompletion, audioCompletionPicodollars)
        add(.reasoning, reasoning, reasoningPicodollars)
    }
}
