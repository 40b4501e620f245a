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

    /// Creates a price from prices in 10^-9 dollars for a thousand tokens.
    /// - Parameter cachedParts: the price of cached prompt tokens; nil for `promptParts`.
    package init(promptParts: Int, completionParts: Int, cachedParts: Int? = nil) {
        self.init(TokenPrices([promptParts, completionParts] + (cachedParts.map { [$0] } ?? [])))
    }

    /// The price of a thousand prompt tokens in 10^-9 dollars; 0 if it is unknown.
    package var promptParts: Int { plain?.prompt ?? 0 }
    package var completionParts: Int { plain?.completion ?? 0 }

    /// Whether 1000 tokens of prompt or completion cost more than 0.1 dollars, as if it were the price of a million.
    var isAboveUsual: Bool { plain.map { max($0.prompt, $0.completion) > 100_000_000 } ?? false }

    /// Whether `isAboveUsual`, or 1000 tokens cost less than 0.00001 dollars, as if it were the price of one.
    var isUnusual: Bool {
        isAboveUsual || (plain.map { [$0.prompt, $0.completion].contains { (1..<10_000).contains($0) } } ?? false)
    }

    /// Returns the prices of a million tokens of prompt and completion in dollars, such as `2.5/10`.
    func perMillionText(timesAs factor: Int = 1) -> String {
        guard let plain else { return "" }
        return [plain.prompt, plain.completion].map { Cost(millionths: $0 * 1_000_000 * factor).text }
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
        terms.fees = fees
        terms.credit = credit?.millionths
        return Price(plain, terms: PriceTerms(terms))
    }

    /// Whether images, recordings or spoken texts have a price.
    package var pricesPieces: Bool { terms?.fields.piece != nil }

    /// Whether the cost of a call follows from its credits.
    package var usesCredits: Bool { terms?.fields.credit != nil }

    /// Returns the cost of this number of credits; nothing if a credit has no price.
    package func cost(ofCredits credits: Int) -> Cost { Cost(credits, at: terms?.fields.credit ?? 0) }

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

/// The prices of one token of each kind, in 10^-12 dollars.
struct TokenPrices: Sendable, Equatable {
    let prompt: Int
    let completion: Int
    /// The price of a prompt token that the vendor read from its prompt cache.
    let cached: Int
    /// The price of a prompt token that the vendor wrote into its prompt cache for a short time.
    let cacheWrite: Int
    /// The price of a prompt token that the vendor wrote into its prompt cache for an hour.
    let longCacheWrite: Int
    let audioPrompt: Int
    let audioCompletion: Int

    static let maxCount = 7

    /// Creates the prices from one to seven numbers, in the order of the properties.
    init(_ numbers: [Int]) {
        func number(_ position: Int, or other: Int) -> Int { position < numbers.count ? numbers[position] : other }
        prompt = number(0, or: 0)
        completion = number(1, or: prompt)
        cached = number(2, or: prompt)
        cacheWrite = number(3, or: prompt)
        longCacheWrite = number(4, or: cacheWrite)
        audioPrompt = number(5, or: prompt)
        audioCompletion = number(6, or: completion)
    }

    var numbers: [Int] { [prompt, completion, cached, cacheWrite, longCacheWrite, audioPrompt, audioCompletion] }

    /// The highest price of a prompt token that is text.
    var dearestPrompt: Int { max(prompt, cacheWrite, longCacheWrite) }
    var cheapestPrompt: Int { min(prompt, cached, cacheWrite) }
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
        /// The price of images, recordings or spoken texts; nil if they have none.
        var piece: PiecePrice?
        /// The price of one of 1min.ai's credits in 10^-12 dollars; nil if it is unknown.
        var credit: Int?
    }

    let fields: Fields
    var isListed: Bool { fields.isListed }

    init(_ fields: Fields) { self.fields = fields }

    static func == (one: PriceTerms, other: PriceTerms) -> Bool { one === other || one.fields == other.fields }
}

/// The prices of one use of each hosted tool, in 10^-12 dollars.
package struct ToolFees: Sendable, Equatable {
    private var prices = SIMD4<Int>()

    package var isEmpty: Bool { prices == SIMD4() }

    package subscript(tool: HostedTool) -> Int {
        get { prices[tool.rawValue] }
        set { prices[tool.rawValue] = newValue }
    }
}
