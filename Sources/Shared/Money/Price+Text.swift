import Engine
import Limits

extension Price {
    package struct Mistake: Error {
        /// The description of the mistake and its correction; nil if the description of a price has it.
        package let reason: String?

        init(_ reason: String? = nil) { self.reason = reason }
    }

    /// Parses a price; nil if it is invalid.
    ///
    /// `0.002` is for a thousand tokens of any kind, `0.001/0.004` for prompt and completion. Up to five more numbers
    /// are those of `TokenPrices`.
    package init?(_ text: String) {
        guard let price = try? Price(parsing: text) else { return nil }
        self = price
    }

    /// Parses a price with its conditions, such as `2.50/10 per million over 272000 5/15 flex 1.25/5`.
    package init(parsing text: String) throws(Mistake) {
        var parser = PriceParser(text)
        self = try parser.price()
    }

    /// The price as settings contain it, such as `0.001/0.004`.
    package var text: String {
        if isListed { return "list" }
        if isFree { return "0/0" }
        let fields = terms?.fields
        var words = fields?.usesReported ?? false ? ["reported"] : []
        if let plain { words.append(plain.text) }
        for tier in [nil] + (fields?.tiers ?? []) {
            for condition in fields?.conditions ?? [] where condition.tier == tier {
                words.append(condition.promptTokens < 0 ? tier?.rawValue ?? "" : "over \(condition.promptTokens)")
                words.append(condition.prices.text)
            }
        }
        if let piece = fields?.piece { words.append(piece.text) }
        if fields?.pricesAnyTier ?? false { words.append("any tier") }
        return words.joined(separator: " ")
    }
}

extension TokenPrices {
    /// The prices of a thousand tokens in dollars, such as `0.001/0.004`.
    fileprivate var text: String {
        var picodollars = picodollars
        // Prices that follow from those before are left out, but for the completion.
        while picodollars.count > 2, TokenPrices(Array(picodollars.dropLast())) == self { picodollars.removeLast() }
        return picodollars.map { Cost(picodollars: $0 * 1_000).text }.joined(separator: "/")
    }
}

private struct PriceParser {
    private var words: [Substring] = []
    private var next = 0
    /// Whether the numbers are for a million tokens, not for a thousand.
    private var isPerMillion = false

    /// Other words for the numbers of tokens behind `per`.
    private static let amounts: [String: Substring] = ["1m": "million", "1k": "1000"]
    private static let maxTokens = 1_000_000_000
    /// The words that never name a tier.
    private static let otherWords: Set<Substring> = [
        "per", "list", "free", "reported", "each", "any", "million", "prompt", "input", "completion", "output",
        "cached",
        "cache", "read", "write", "audio", "image", "minute", "characters", "search",
    ]

    init(_ text: String) {
        // Spaces around a slash belong to the price.
        for word in text.lowercased().split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            if let last = words.last, last.last == "/" || word.first == "/" {
                words[words.count - 1] = last + word
            } else if words.last == "per" {
                words.append(Self.amounts[String(word)] ?? word)
            } else if word != "tokens" || words.dropLast().last != "per" {
                words.append(word)
            }
        }
    }

    private var word: Substring? { next < words.count ? words[next] : nil }

    private mutating func skip(_ word: Substring) -> Bool {
        guard self.word == word else { return false }
        next += 1
        return true
    }

    mutating func price() throws(Price.Mistake) -> Price {
        var fields = PriceTerms.Fields()
        if words == ["free"] { return .free }
        if words == ["list"] {
            fields.isListed = true
            return Price(nil, terms: PriceTerms(fields))
        }
        fields.usesReported = skip("reported")
        var plain: TokenPrices?
        if word != "each", word != nil || !fields.usesReported {
            isPerMillion = words.indices.contains(next + 2) && words[next + 1] == "per" && words[next + 2] == "million"
            plain = try prices()
        }
        var tier: ServiceTier?
        while let word {
            next += 1
            if word == "each", fields.piece == nil {
                fields.piece = try piece()
                continue
            }
            if word == "any", skip("tier") {
                fields.pricesAnyTier = true
                continue
            }
            var bound = -1
            if word == "over" {
                bound = try tokens()
            } else if !Self.otherWords.contains(word), mayPriceFollow, let named = ServiceTier(word: String(word)) {
                tier = named
            } else {
                throw Price.Mistake(reason(of: word))
            }
            guard !fields.conditions.contains(where: { $0.tier == tier && $0.promptTokens == bound }) else {
                throw Price.Mistake("it has two prices for the same condition; remove one of them")
            }
            fields.conditions.append(PriceTerms.Condition(tier: tier, promptTokens: bound, prices: try prices()))
        }
        fields.conditions.sort { $0.promptTokens < $1.promptTokens }
        return Price(plain, terms: fields == PriceTerms.Fields() ? nil : PriceTerms(fields))
    }

    private var mayPriceFollow: Bool { word?.utf8.first.map { (48...57).contains($0) } ?? true }

    private func reason(of word: Substring) -> String? {
        if word == "per" { return "write \"per million\" or \"per 1000\" once, behind the first price" }
        if word == "list" || word == "free" { return "\"\(word)\" stands alone, without other words" }
        // A second number is most likely a typing mistake, which the description of a price explains.
        if word.utf8.first.map({ (48...57).contains($0) }) ?? true { return nil }
        return """
            "\(word.prefix(20))" is not a word of a price; behind the first price write per million, over 200000 PRICE, \
            flex PRICE or another tier's word, any tier or each PRICE; join the prices of prompt, completion and cached \
            prompt by slashes
            """
    }

    /// Reads the words behind `each`.
    private mutating func piece() throws(Price.Mistake) -> PiecePrice {
        var unit = PieceUnit.image
        if skip("minute") {
            unit = .second
        } else if words.indices.contains(next + 1), words[next + 1] == "characters", skip("1000") {
            unit = .character
            next += 1
        }
        guard let word, let price = Cost(dollars: String(word)) else {
            throw Price.Mistake("write each 0.04 (an image), each minute 0.006 or each 1000 characters 0.015")
        }
        next += 1
        return PiecePrice(unit: unit, picodollars: price.picodollars)
    }

    /// Reads the number behind `over`.
    private mutating func tokens() throws(Price.Mistake) -> Int {
        guard let word, let tokens = Int(word), (1...Self.maxTokens).contains(tokens) else {
            throw Price.Mistake("write a number of tokens behind \"over\", as in over 200000 0.005/0.015")
        }
        next += 1
        return tokens
    }

    /// Reads one to seven numbers and the words `per million` behind them.
    private mutating func prices() throws(Price.Mistake) -> TokenPrices {
        guard let word else {
            throw Price.Mistake(next == 0 ? nil : "a price is missing behind \"\(words[next - 1].prefix(20))\"")
        }
        next += 1
        let texts = word.split(separator: "/", omittingEmptySubsequences: false)
        guard texts.count <= TokenPrices.maxCount else {
            throw Price.Mistake(
                """
                it has \(texts.count) numbers; at most seven are possible: prompt, completion, cached prompt, cache \
                write, cache write for an hour, audio prompt, audio completion
                """
            )
        }
        var numbers: [Int] = []
        for text in texts { numbers.append(try number(text)) }
        if isPerMillion, skip("per"), !skip("million") { throw Price.Mistake(reason(of: "per")) }
        if !isPerMillion, self.word == "per", words.indices.contains(next + 1), words[next + 1] == "1000" { next += 2 }
        return TokenPrices(numbers)
    }

    private func number(_ text: Substring) throws(Price.Mistake) -> Int {
        let decimals = isPerMillion ? 6 : 9
        guard let number = Int(dollars: text, decimals: decimals) else {
            guard let dot = text.firstIndex(of: "."), text[dot...].utf8.count > decimals + 1 else {
                throw Price.Mistake()
            }
            if text.contains(",") { throw Price.Mistake("write / between the prices of prompt and completion") }
            throw Price.Mistake(
                isPerMillion
                    ? "write at most six decimals for a million tokens" : "write at most nine decimals for 1000 tokens"
            )
        }
        guard number <= Price.maxDollars * Quota.nanodollarsPerDollar else { throw Price.Mistake() }
        return number
    }
}

extension Price {
    /// The largest price of a thousand tokens, in dollars.
    fileprivate static let maxDollars = 1_000
}

extension Int {
    /// Parses a number of at most `decimals` decimals, without sign, in units of the last one; nil if it is invalid.
    init?(dollars text: Substring, decimals: Int) {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = numbers.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        guard isPlain, (1...2).contains(numbers.count) else { return nil }
        let fraction = numbers.count == 2 ? numbers[1] : ""
        guard fraction.utf8.count <= decimals else { return nil }
        let padding = String(repeating: "0", count: decimals - fraction.utf8.count)
        self.init(numbers[0] + fraction + padding)
    }
}

extension Cost {
    /// Parses an amount of dollars such as `0.25`, at most 1000; nil if the text is invalid.
    package init?(dollars text: String) {
        guard text.utf8.count <= 20, let units = Int(dollars: text[...], decimals: 12), units <= 1_000_000_000_000_000
        else { return nil }
        self.init(picodollars: units)
    }
}

extension Price {
    /// Parses prices by model, such as `fast=0.0025/0.01` and `large=2.50/10 per million over 272000 5/15`.
    static func byModel(_ items: [String]) throws(Mistake) -> [String: Price] {
        var prices: [String: Price] = [:]
        for item in items {
            guard let end = item.firstIndex(of: "="), case let name = String(item[..<end].trimmed), !name.isEmpty,
                name.utf8.allSatisfy({ $0 > 32 && $0 != 127 })
            else { throw Mistake("\"\(item.prefix(40))\" is not of the form model=price") }
            let price: Price
            do throws(Mistake) {
                price = try Price(parsing: String(item[item.index(after: end)...]))
            } catch {
                throw Mistake(error.reason.map { "in the price of \(name.prefix(40)): \($0)" })
            }
            guard prices.updateValue(price, forKey: name) == nil else {
                throw Mistake("the model \(name.prefix(40)) is listed twice")
            }
        }
        guard !prices.isEmpty else { throw Mistake() }
        return prices
    }
}

extension ToolFees {
    /// Parses the prices of uses of hosted tools, such as `web_search=0.01`; nil if they are invalid.
    init?(_ items: [String]) {
        for item in items {
            guard let end = item.firstIndex(of: "="), let tool = HostedTool(name: item[..<end].trimmed),
                let price = Cost(dollars: String(item[item.index(after: end)...].trimmed)), self[tool] == 0
            else { return nil }
            self[tool] = price.picodollars
        }
        if isEmpty { return nil }
    }
}
