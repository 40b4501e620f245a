/// The price of a model's calls at a provider, in integers.
package struct Price: Sendable, Equatable {
    /// The prices of tokens at the usual service tier and for prompts of any length; nil if they are unknown.
    let plain: TokenPrices?
    /// All terms beside `plain`; nil for most prices.
    let terms: PriceTerms?

    /// The price of calls that cost nothing.
    package static let free = Price(TokenPrices([0]))

    init(_ plain: TokenPrices?, terms: PriceTerms? = nil) {
        self.plain = plain
        self.terms = terms
    }

    /// Creates a price from the prices of one token.
    /// - Parameter cachedPicodollars: the price of a cached prompt token; nil for `promptPicodollars`.
    package init(promptPicodollars: Int, completionPicodollars: Int, cachedPicodollars: Int? = nil) {
        self.init(TokenPrices([promptPicodollars, completionPicodollars] + (cachedPicodollars.map { [$0] } ?? [])))
    }

    /// The price of a prompt token; 0 if it is unknown.
    package var promptPicodollars: Int { plain?.promptPicodollars ?? 0 }
    package var completionPicodollars: Int { plain?.completionPicodollars ?? 0 }

    /// Whether 1000 tokens of prompt or completion cost more than 0.1 dollars, as if it were the price of a million.
    var isAboveUsual: Bool { plain.map { max($0.promptPicodollars, $0.completionPicodollars) > 100_000_000 } ?? false }

    /// Whether `isAboveUsual`, or 1000 tokens cost less than 0.00001 dollars, as if it were the price of one.
    var isUnusual: Bool {
        isAboveUsual
            || (plain.map { [$0.promptPicodollars, $0.completionPicodollars].contains { (1..<10_000).contains($0) } }
                ?? false)
    }

    /// Returns the prices of a million tokens of prompt and completion in dollars, such as `2.5/10`.
    func perMillionText(timesAs factor: Int = 1) -> String {
        guard let plain else { return "" }
        return [plain.promptPicodollars, plain.completionPicodollars].map {
            Cost(picodollars: $0 * 1_000_000 * factor).text
        }
        .joined(separator: "/")
    }

    /// Whether the provider's model list has the price.
    package var isListed: Bool { terms?.isListed ?? false }

    /// Whether a cost that the vendor reports is used instead of the prices.
    var usesReported: Bool { terms?.fields.usesReported ?? false }

    /// Whether calls cost nothing.
    package var isFree: Bool { plain == TokenPrices([0]) && terms == nil }

    /// Whether a call that the vendor reports in tokens has a known cost.
    package var pricesTokens: Bool { plain != nil }

    /// A copy of this price with prices for the uses of hosted tools and for a credit.
    func adding(_ fees: ToolFees, credit: Cost?) -> Price {
        guard !fees.isEmpty || credit != nil else { return self }
        var terms = terms?.fields ?? PriceTerms.Fields()
        if !fees.isEmpty { terms.fees = fees }
        terms.creditPicodollars = credit?.picodollars
        return Price(plain, terms: PriceTerms(terms))
    }

    /// Returns whether a call that used no tokens has a known cost: the vendor reports it, its pieces have a price, or all
    /// calls are free.
    package func pricesMedia(_ usage: Usage) -> Bool {
        if usesReported, usage.reportedCost != nil { return true }
        guard let piece = terms?.fields.piece else { return plain == TokenPrices([0]) }
        return usage.pieces > 0 && usage.pieceUnit.priced == piece.unit
    }

    /// Whether images, recordings or spoken texts have a price.
    var hasPieces: Bool { terms?.fields.piece != nil }

    /// The price of a call beside its tokens; nothing if it has none.
    package var requestCost: Cost { Cost(picodollars: terms?.fields.requestPicodollars ?? 0) }

    /// A copy of this price for a part of a call, which is no request of its own.
    package var ofPart: Price {
        guard requestCost > .nothing, var fields = terms?.fields else { return self }
        fields.requestPicodollars = 0
        return Price(plain, terms: PriceTerms(fields))
    }

    /// Whether the cost that the vendor reports is the only price.
    var isReportedOnly: Bool { usesReported && plain == nil && !hasPieces }

    /// Whether only images, recordings or spoken texts have a price.
    var isOfPiecesOnly: Bool { hasPieces && plain == nil && !usesReported }

    /// Whether the cost of a call follows from its credits.
    package var usesCredits: Bool { terms?.fields.creditPicodollars != nil }

    /// Returns the cost of this number of credits; nothing if a credit has no price.
    package func cost(ofCredits credits: Int) -> Cost { Cost(credits, at: terms?.fields.creditPicodollars ?? 0) }

    /// Returns the prices of tokens for a prompt of this length at this service tier; nil if they are unknown.
    func tokenPrices(promptTokens: Int, tier: ServiceTier?) -> TokenPrices? {
        guard let conditions = terms?.fields.conditions, !conditions.isEmpty else { return plain }
        let tier = conditions.contains { $0.tier == tier } ? tier : nil
        // They are sorted by bound, so the last one that applies has the highest bound.
        return conditions.last { $0.tier == tier && promptTokens > $0.promptTokens }?.prices ?? plain
    }

    /// Returns the cost of a call; nil if it is unknown.
    /// - Parameter credits: the credits of the call; nil if it used none or they are unknown.
    package func knownCost(_ usage: Usage, credits: Int? = nil) -> Cost? {
        var cost = Cost.nothing
        let isKnown = forEachLine(of: usage, credits: credits) { cost = cost + $0.product }
        return isKnown ? cost : nil
    }

    /// Returns the cost of a call; nothing if it is unknown.
    package func cost(_ usage: Usage) -> Cost { knownCost(usage) ?? .nothing }
}

/// The prices of one token of each kind.
struct TokenPrices: Sendable, Equatable {
    let promptPicodollars: Int
    let completionPicodollars: Int
    /// The price of a prompt token that the vendor read from its prompt cache.
    let cachedPicodollars: Int
    /// The price of a prompt token that the vendor wrote into its prompt cache for a short time.
    let cacheWritePicodollars: Int
    /// The price of a prompt token that the vendor wrote into its prompt cache for an hour.
    let longCacheWritePicodollars: Int
    let audioPromptPicodollars: Int
    let audioCompletionPicodollars: Int
    /// The price of a token of reasoning, which settings do not have.
    let reasoningPicodollars: Int

    /// The most numbers of a price in the settings.
    static let maxCount = 7

    /// Creates the prices from one to eight numbers, in the order of the properties.
    init(_ picodollars: [Int]) {
        func number(_ index: Int, or other: Int) -> Int { index < picodollars.count ? picodollars[index] : other }
        promptPicodollars = number(0, or: 0)
        completionPicodollars = number(1, or: promptPicodollars)
        cachedPicodollars = number(2, or: promptPicodollars)
        cacheWritePicodollars = number(3, or: promptPicodollars)
        longCacheWritePicodollars = number(4, or: cacheWritePicodollars)
        audioPromptPicodollars = number(5, or: promptPicodollars)
        audioCompletionPicodollars = number(6, or: completionPicodollars)
        reasoningPicodollars = number(7, or: completionPicodollars)
    }

    var picodollars: [Int] {
        [
            promptPicodollars, completionPicodollars, cachedPicodollars, cacheWritePicodollars,
            longCacheWritePicodollars, audioPromptPicodollars, audioCompletionPicodollars,
        ]
    }

    /// The highest price of a prompt token that is text.
    var dearestPromptPicodollars: Int { max(promptPicodollars, cacheWritePicodollars, longCacheWritePicodollars) }
    var cheapestPromptPicodollars: Int { min(promptPicodollars, cachedPicodollars, cacheWritePicodollars) }
}

/// The terms of a price beside the prices of tokens. It is an object, because few prices have such terms.
final class PriceTerms: Sendable, Equatable {
    /// Other prices of tokens, for a service tier or for long prompts.
    struct Condition: Sendable, Equatable {
        /// The service tier; nil for the usual one.
        let tier: ServiceTier?
        /// The number of prompt tokens above which the prices apply; -1 if they apply to all prompts.
        let promptTokens: Int
        let prices: TokenPrices
    }

    struct Fields: Sendable, Equatable {
        /// The conditions, sorted by `promptTokens`.
        var conditions: [Condition] = []
        /// The tiers with prices of their own.
        var tiers: [ServiceTier] {
            conditions.reduce(into: []) { all, next in
                if let tier = next.tier, !all.contains(tier) { all.append(tier) }
            }
        }
        /// Whether a cost that the vendor reports is used instead of the prices.
        var usesReported = false
        /// Whether tiers without a price of their own have the plain one, even if a request asks for them.
        var pricesAnyTier = false
        /// Whether the provider's model list has the price.
        var isListed = false
        var fees = ToolFees()
        /// The price of a call beside its tokens.
        var requestPicodollars = 0
        /// The price of images, recordings or spoken texts; nil if they have none.
        var piece: PiecePrice?
        /// The price of one of 1min.ai's credits; nil if it is unknown.
        var creditPicodollars: Int?
    }

    let fields: Fields
    var isListed: Bool { fields.isListed }

    init(_ fields: Fields) { self.fields = fields }

    static func == (one: PriceTerms, other: PriceTerms) -> Bool { one === other || one.fields == other.fields }
}

/// The prices of one use of each hosted tool, in picodollars.
package struct ToolFees: Sendable, Equatable {
    private var picodollars = SIMD4<Int>()

    package var isEmpty: Bool { picodollars == SIMD4() }

    package subscript(tool: HostedTool) -> Int {
        get { picodollars[tool.rawValue] }
        set { picodollars[tool.rawValue] = newValue }
    }
}
