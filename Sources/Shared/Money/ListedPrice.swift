package import Engine

/// The price of a model as model lists show it. The setting `_COST=list` uses it for bills.
package struct ListedPrice: Sendable, Equatable {
    package enum PriceKind: Int, CaseIterable, Sendable {
        case prompt
        case completion
        case cacheRead
        case cacheWrite
        case image
        case request
        case audio
        case webSearch
        case reasoning
        case longCacheWrite
        case audioOutput

        /// The member name of this price in the JSON of model lists.
        package var name: StaticString {
            switch self {
            case .prompt: "prompt"
            case .completion: "completion"
            case .cacheRead: "input_cache_read"
            case .cacheWrite: "input_cache_write"
            case .image: "image"
            case .request: "request"
            case .audio: "audio"
            case .webSearch: "web_search"
            case .reasoning: "internal_reasoning"
            case .longCacheWrite: "input_cache_write_1h"
            case .audioOutput: "audio_output"
            }
        }
    }

    /// Other prices of tokens for long prompts. A kind that it lacks costs what it costs for other prompts; if that is the
    /// price of the usual kind, it is so for long prompts, too.
    struct LongPrompt: Sendable, Equatable {
        /// The number of prompt tokens from which the prices apply.
        let minPromptTokens: Int
        let price: ListedPrice
    }

    /// The dollar prices of one token, image, request or search as decimals, by the raw value of `PriceKind`.
    private var texts: [String?] = []
    private(set) var ofLongPrompts: [LongPrompt] = []

    private static let maxLongPrompts = 8

    package init() {}

    init(_ price: Price) {
        guard let prices = price.plain else { return }
        set(prices)
        set(.request, price.requestCost.picodollars, unless: 0)
        set(.webSearch, price.terms?.fields.fees[.webSearch] ?? 0, unless: 0)
        for condition in price.terms?.fields.conditions ?? [] where condition.tier == nil {
            var long = ListedPrice()
            long.set(condition.prices, isWhole: true)
            ofLongPrompts.append(LongPrompt(minPromptTokens: condition.promptTokens + 1, price: long))
        }
    }

    /// Sets the prices of tokens.
    /// - Parameter isWhole: whether to set also those that are as the usual kind's.
    private mutating func set(_ prices: TokenPrices, isWhole: Bool = false) {
        let (prompt, completion) = (prices.promptPicodollars, prices.completionPicodollars)
        func set(_ kind: PriceKind, _ picodollars: Int, as usual: Int) {
            self.set(kind, picodollars, unless: isWhole ? nil : usual)
        }
        self.set(.prompt, prompt)
        self.set(.completion, completion)
        set(.cacheRead, prices.cachedPicodollars, as: prompt)
        set(.cacheWrite, prices.cacheWritePicodollars, as: prompt)
        set(.audio, prices.audioPromptPicodollars, as: prompt)
        set(.reasoning, prices.reasoningPicodollars, as: completion)
        set(.longCacheWrite, prices.longCacheWritePicodollars, as: prices.cacheWritePicodollars)
        set(.audioOutput, prices.audioCompletionPicodollars, as: completion)
    }

    private mutating func set(_ kind: PriceKind, _ picodollars: Int, unless other: Int? = nil) {
        if picodollars != other { self[kind] = Cost(picodollars: picodollars).exactText }
    }

    /// Reads the prices of a model in a vendor's model list. Invalid ones are ignored.
    package init(_ pricing: JSONValue?) {
        readKinds(of: pricing)
        for long in (pricing?["overrides"]?.elements ?? JSONElements()).prefix(Self.maxLongPrompts) {
            guard let tokens = long["min_prompt_tokens"]?.integer, (1...4_000_000_000).contains(tokens) else {
                continue
            }
            var price = ListedPrice()
            price.readKinds(of: long)
            guard price.isKnown else { continue }
            ofLongPrompts.append(LongPrompt(minPromptTokens: Int(tokens), price: price))
        }
    }

    package subscript(part: PriceKind) -> String? {
        get { texts.isEmpty ? nil : texts[part.rawValue] }
        set {
            if texts.isEmpty { texts = Array(repeating: nil, count: PriceKind.allCases.count) }
            texts[part.rawValue] = newValue
        }
    }

    package var isKnown: Bool { texts.contains { $0 != nil } }

    /// Replaces prices by the known prices in `other`. The prices that `other` lacks stay unchanged.
    package mutating func add(_ other: ListedPrice) {
        for part in PriceKind.allCases { if let text = other[part] { self[part] = text } }
        if !other.ofLongPrompts.isEmpty { ofLongPrompts = other.ofLongPrompts }
    }

    /// The members of the JSON object that model lists have.
    package var members: [(name: String, value: JSONFragment)] {
        var members: [(name: String, value: JSONFragment)] = PriceKind.allCases.compactMap { kind in
            self[kind].map { ("\(kind.name)", "\($0)") }
        }
        if !ofLongPrompts.isEmpty {
            let long = ofLongPrompts.map { long -> JSONFragment in
                #"{"min_prompt_tokens":\#(long.minPromptTokens)\#(members: long.price.members)}"#
            }
            members.append(("overrides", "\(long)"))
        }
        return members
    }

    private mutating func readKinds(of pricing: JSONValue?) {
        for kind in PriceKind.allCases {
            guard let value = pricing?[kind.name], let text = value.string ?? value.number.map({ "\($0)" }),
                text.utf8.count <= 32, let number = Double(text), (0...1_000_000).contains(number)
            else { continue }
            self[kind] = Self.decimal(text)
        }
    }

    /// Returns a number as text without an exponent, such as `0.000001` for `1e-6`; nil if it is invalid or too large.
    private static func decimal(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
        if isPlain, text.utf8.first != UInt8(ascii: "."), text.utf8.last != UInt8(ascii: ".") { return text }
        guard let number = Double(text) else { return nil }
        let parts = (number * 1e12).rounded()
        return parts < 1e18 ? Cost(picodollars: Int(parts)).exactText : nil
    }
}

extension ListedPrice {
    /// The prices of tokens; nil if the list has none.
    fileprivate var tokenPrices: TokenPrices? {
        guard let prompt = picodollars(.prompt), let completion = picodollars(.completion) else { return nil }
        let (read, written) = (picodollars(.cacheRead) ?? prompt, picodollars(.cacheWrite) ?? prompt)
        // Of kinds that few lists have, 0 means that they cost as the usual kind.
        func special(_ kind: PriceKind) -> Int? { picodollars(kind).flatMap { $0 > 0 ? $0 : nil } }
        let (longWritten, audio) = (special(.longCacheWrite) ?? written, picodollars(.audio) ?? prompt)
        let (audioOutput, reasoning) = (special(.audioOutput) ?? completion, special(.reasoning) ?? completion)
        return TokenPrices([prompt, completion, read, written, longWritten, audio, audioOutput, reasoning])
    }

    fileprivate func conditions(besides prices: TokenPrices) -> [PriceTerms.Condition] {
        var usual = ListedPrice()
        usual.set(prices)
        return ofLongPrompts.sorted { $0.minPromptTokens < $1.minPromptTokens }.compactMap { long in
            var price = usual
            price.add(long.price)
            return price.tokenPrices.map { .init(tier: nil, promptTokens: long.minPromptTokens - 1, prices: $0) }
        }
    }

    fileprivate func picodollars(_ kind: PriceKind) -> Int? {
        guard let text = self[kind] else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        // Decimals behind the twelfth are rounded up.
        guard parts.count == 2, parts[1].utf8.count > 12 else { return Int(dollars: text[...], decimals: 12) }
        return Int(dollars: "\(parts[0]).\(parts[1].prefix(12))", decimals: 12).map { $0 + 1 }
    }
}

extension Price {
    /// Creates a price from a vendor's list of models; nil if the list has no prices of tokens.
    init?(_ listed: ListedPrice) {
        guard let prices = listed.tokenPrices else { return nil }
        var terms = PriceTerms.Fields()
        terms.requestPicodollars = listed.picodollars(.request) ?? 0
        terms.fees[.webSearch] = listed.picodollars(.webSearch) ?? 0
        terms.conditions = listed.conditions(besides: prices)
        self.init(prices, terms: terms == PriceTerms.Fields() ? nil : PriceTerms(terms))
    }
}

package struct ProviderPrices: Sendable, Equatable {
    /// The price of the models that have no individual price; nil if unknown.
    let common: Price?
    /// The individual prices of models, by the names that callers use.
    let ofModels: [String: Price]

    var fees = ToolFees()
    /// The price of one of 1min.ai's credits; nil if it is unknown.
    var credit: Cost?

    /// Returns the price of a model; nil if it is unknown.
    /// - Parameter listed: the price of the model in the vendor's list of models; nil if it is not there.
    package func price(of model: String, listed: ListedPrice?) -> Price? {
        let own = setting(of: model)
        let price = own?.isListed ?? false ? listed.flatMap { Price($0) } : own
        let known = price ?? (credit == nil ? nil : Price(nil))
        let isFree = ofModels[model]?.isFree ?? false
        return known?.adding(isFree ? ToolFees() : fees, credit: credit)
    }

    /// Returns the price of a model in the settings; nil if there is none.
    package func setting(of model: String) -> Price? { ofModels[model] ?? common }

    /// Whether some model may have a price above 0.
    var isKnown: Bool { all.contains { !$0.isFree } || !fees.isEmpty || credit != nil }

    /// Whether some images, recordings or spoken texts have a price, or all calls by their credits.
    var paysMedia: Bool { all.contains(where: \.hasPieces) || credit != nil }

    private var all: [Price] { [common].compactMap(\.self) + ofModels.values }

    /// Whether the prices of some models are those of the vendor's list of models.
    package var usesList: Bool { common?.isListed ?? false || ofModels.values.contains(where: \.isListed) }
}
