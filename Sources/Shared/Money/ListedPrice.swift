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

    /// The dollar prices of one token, image, request or search as decimals, by the raw value of `PriceKind`.
    private var texts: [String?] = []

    package init() {}

    init(_ price: Price) {
        guard let prices = price.plain else { return }
        func set(_ kind: PriceKind, _ picodollars: Int, unless other: Int? = nil) {
            if picodollars != other { self[kind] = Cost(picodollars: picodollars).exactText }
        }
        set(.prompt, prices.promptPicodollars)
        set(.completion, prices.completionPicodollars)
        set(.cacheRead, prices.cachedPicodollars, unless: prices.promptPicodollars)
        set(.cacheWrite, prices.cacheWritePicodollars, unless: prices.promptPicodollars)
        set(.audio, prices.audioPromptPicodollars, unless: prices.promptPicodollars)
        set(.reasoning, prices.reasoningPicodollars, unless: prices.completionPicodollars)
        set(.longCacheWrite, prices.longCacheWritePicodollars, unless: prices.cacheWritePicodollars)
        set(.audioOutput, prices.audioCompletionPicodollars, unless: prices.completionPicodollars)
        set(.request, price.requestCost.picodollars, unless: 0)
        set(.webSearch, price.terms?.fields.fees[.webSearch] ?? 0, unless: 0)
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
    }

    /// Sets one price from a value in a vendor's model list. Ignores an invalid value.
    package mutating func read(_ part: PriceKind, _ value: JSONValue?) {
        guard let value, let text = value.string ?? value.number.map({ "\($0)" }), text.utf8.count <= 32,
            let number = Double(text), (0...1_000_000).contains(number)
        else { return }
        self[part] = Self.decimal(text)
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

extension Price {
    /// Creates a price from a vendor's list of models; nil if the list has no prices of tokens.
    init?(_ listed: ListedPrice) {
        func units(_ kind: ListedPrice.PriceKind) -> Int? {
            guard let text = listed[kind] else { return nil }
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            // Decimals behind the twelfth are rounded up.
            guard parts.count == 2, parts[1].utf8.count > 12 else { return Int(dollars: text[...], decimals: 12) }
            return Int(dollars: "\(parts[0]).\(parts[1].prefix(12))", decimals: 12).map { $0 + 1 }
        }
        guard let prompt = units(.prompt), let completion = units(.completion) else { return nil }
        let (read, written) = (units(.cacheRead) ?? prompt, units(.cacheWrite) ?? prompt)
        // Of kinds that few lists have, 0 means that they cost as the usual kind.
        func special(_ kind: ListedPrice.PriceKind) -> Int? { units(kind).flatMap { $0 > 0 ? $0 : nil } }
        let (longWritten, audio) = (special(.longCacheWrite) ?? written, units(.audio) ?? prompt)
        var terms = PriceTerms.Fields()
        terms.requestPicodollars = units(.request) ?? 0
        terms.fees[.webSearch] = units(.webSearch) ?? 0
        let hasTerms = terms.requestPicodollars > 0 || !terms.fees.isEmpty
        let (audioOutput, reasoning) = (special(.audioOutput) ?? completion, special(.reasoning) ?? completion)
        self.init(
            TokenPrices([prompt, completion, read, written, longWritten, audio, audioOutput, reasoning]),
            terms: hasTerms ? PriceTerms(terms) : nil
        )
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
