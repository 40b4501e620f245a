import Engine
import Testing

@testable import Shared

@Suite struct PriceTermsTests {
    @Test(
        "a price is written as it is read",
        arguments: [
            ("0.002", "0.002/0.002"), ("0.001/0.004", "0.001/0.004"), ("1/2/0.1", "1/2/0.1"), ("free", "0/0"),
            ("0", "0/0"),
            ("2.50/10/0.25/3.125 per million", "0.0025/0.01/0.00025/0.003125"), ("list", "list"),
            ("1/2/1/1/1/3", "1/2/1/1/1/3"), ("1/2/3/1", "1/2/3"), ("reported", "reported"), ("each 0.04", "each 0.04"),
            ("1/2 each minute 0.006 flex 3", "1/2 flex 3/3 each minute 0.006"),
            ("each 1000 characters 0.015", "each 1000 characters 0.015"),
            ("reported 0.001/0.004", "reported 0.001/0.004"),
            (
                "2.50/10 per million over 272000 5/15 flex 1.25/5",
                "0.0025/0.01 over 272000 0.005/0.015 flex 0.00125/0.005"
            ),
            ("1 flex 2 over 9 3 over 8 4 fast 5 over 7 6", "1/1 flex 2/2 over 8 4/4 over 9 3/3 fast 5/5 over 7 6/6"),
            ("0.001 / 0.004 batch 1 /2", "0.001/0.004 batch 1/2"),
            ("2.50/10 per million tokens", "0.0025/0.01"),
            ("2.50/10 Per Million OVER 9 5/15", "0.0025/0.01 over 9 0.005/0.015"),
            ("2.50/10 per 1M over 9 5 flex 3", "0.0025/0.01 over 9 0.005/0.005 flex 0.003/0.003"),
            ("1/2 per 1M Tokens", "0.001/0.002"), ("1/2 per 1K tokens flex 3", "1/2 flex 3/3"),
        ]
    )
    func texts(text: String, written: String) throws {
        let price = try #require(Price(text))
        #expect(price.text == written)
        #expect(Price(written) == price)
    }

    @Test(
        "a mistake in a price tells how to correct it",
        arguments: [
            ("1/2/3/4/5/6/7/8", "it has 8 numbers; at most seven are possible"),
            ("1 over 2", "a price is missing behind \"2\""), ("1 flex", "a price is missing behind \"flex\""),
            ("1 over x 2", "write a number of tokens behind \"over\""),
            ("1 over 0 2", "write a number of tokens behind"),
            ("1 over 9999999999 2", "write a number of tokens behind"),
            ("1 cheap tier 2", "\"cheap\" is not a word of a price"),
            ("2.5/10 per million cached 0.25", "\"cached\" is not a word of a price; behind the first price"),
            ("0.0025 output 0.01", "join the prices of prompt, completion and cached prompt by slashes"),
            ("1 flex 2 flex 3", "two prices for the same condition"),
            ("1 over 5 2 over 5 3", "two prices for the same"),
            ("1 flex 2 per million", "write \"per million\" or \"per 1000\" once"),
            ("1 per", "write \"per million\" or"),
            ("1 per token", "write \"per million\" or"), ("1 per tokens", "write \"per million\" or"),
            ("1 list", "\"list\" stands alone"), ("each", "write each 0.04 (an image)"),
            ("each hour 1", "write each 0.04 (an image)"), ("each 1 each 2", "\"each\" is not a word of a price"),
            ("free 1", nil), ("2.1234567 per million", "at most six decimals"),
            ("0.0000000001", "at most nine decimals"), ("0,001", nil), ("1000001 per million", nil),
        ] as [(String, String?)]
    )
    func mistakes(text: String, reason: String?) {
        #expect(Price(text) == nil)
        do throws(Price.Mistake) {
            _ = try Price(parsing: text)
        } catch {
            if let reason { #expect(error.reason?.contains(reason) ?? false) } else { #expect(error.reason == nil) }
        }
    }

    @Test("a model that is free has no fees either")
    func free() throws {
        var fees = ToolFees()
        fees[.webSearch] = 1
        let prices = ProviderPrices(common: .free, ofModels: ["free": .free], fees: fees)
        #expect(prices.price(of: "free", listed: nil)?.isFree == true)
        #expect(prices.price(of: "other", listed: nil)?.isFree == false)
    }

    @Test(
        "the length of the prompt and the tier decide between prices",
        arguments: [
            ("3/15 per million batch 1.5/7.5", 100, 50, 0, "batch", 525),
            ("3/15 per million batch 1.5/7.5", 100, 50, 0, "standard", 1_050),
            ("3/15/0.3 per million over 150000 6/22.5/0.6", 151_000, 100, 150_000, nil, 98_250),
            ("3/15/0.3 per million over 150000 6/22.5/0.6", 150_000, 100, 149_000, nil, 49_200),
            ("3/15 per million batch 1.5/7.5 over 150000 3/11.25", 160_000, 100, 0, "batch", 481_125),
            ("3/15 per million batch 1.5/7.5 over 150000 3/11.25", 160_000, 100, 0, "standard", 481_500),
            ("3/15 per million over 150000 6/22.5 batch 1.5/7.5", 160_000, 100, 0, "batch", 240_750),
            ("3/15 per million over 1000 6/20 over 100000 8/30", 160_000, 10, 0, nil, 1_280_300),
            ("2.50/10/1.25 per million priority 5/20 flex 1/1", 1_000, 500, 0, "priority", 15_000),
            ("2.50/10/1.25 per million priority 5/20 flex 1/1", 1_000, 500, 0, "default", 7_500),
            ("free", 1_000, 500, 0, nil, 0), ("0", 1_000, 500, 0, nil, 0),
        ] as [(String, Int, Int, Int, String?, Int)]
    )
    func conditions(text: String, prompt: Int, completion: Int, cached: Int, tier: String?, millionths: Int) throws {
        var usage = Usage(promptTokens: prompt, completionTokens: completion)
        usage.cachedTokens = cached
        usage.serviceTier = tier.flatMap { ServiceTier(word: $0) }
        #expect(try #require(Price(text)).cost(usage).picodollars == millionths * 1_000_000)
    }

    @Test("a price per million is a thousandth of one per thousand")
    func units() {
        #expect(Price("1000000 per million") == Price("1000"))
        #expect(Price("0.000001/2.5 per million") == Price("0.000000001/0.0025"))
    }

    /// Returns a random usage with some impossible parts.
    private func usage(_ random: inout SystemRandomNumberGenerator) -> Usage {
        var usage = Usage(
            promptTokens: .random(in: 0...400_000, using: &random),
            completionTokens: .random(in: 0...9_000)
        )
        usage.cachedTokens = .random(in: 0...500_000)
        usage.cacheWriteTokens = .random(in: 0...200_000)
        usage.longCacheWriteTokens = .random(in: 0...100_000)
        usage.audioPromptTokens = .random(in: 0...50_000)
        usage.cachedAudioTokens = .random(in: 0...50_000)
        usage.audioCompletionTokens = .random(in: 0...9_999)
        usage.serviceTier = Bool.random() ? nil : [.flex, .fast, ServiceTier(word: "ultrafast")].randomElement() ?? nil
        usage.toolUses[.webSearch] = .random(in: 0...3)
        if Bool.random() { usage.reportedCost = Cost(picodollars: .random(in: 0...1_000_000)) }
        return usage
    }

    @Test(
        "the lines of a bill add up to the cost, and their units to the usage",
        arguments: [
            "0.001/0.004", "3/15/0.3/3.75/6/7/8 per million over 200000 6 flex 1 over 7 2", "reported 1/2 fast 9",
            "free",
        ]
    )
    func lines(text: String) throws {
        var fees = ToolFees()
        fees[.webSearch] = 10_000_000_001
        let price = try #require(Price(text)).adding(fees, credit: nil)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let usage = usage(&random)
            var (sum, tokens) = (Cost.nothing, 0)
            let isKnown = price.forEachLine(of: usage) { line in
                #expect(line.amount > 0 && line.product.picodollars == line.amount * line.price.picodollars)
                sum = sum + line.product
                if case .use = line.unit { return }
                tokens += line.unit == .reportedCost ? usage.totalTokens : line.amount
            }
            #expect(isKnown && price.knownCost(usage) == sum)
            #expect(tokens == usage.totalTokens, "\(usage)")
        }
    }

    @Test(
        "a price without conditions means what it always meant",
        arguments: ["0.002", "0.001/0.004", "1/2/0.1", "0/5/3"]
    )
    func before(text: String) throws {
        let price = try #require(Price(text))
        let numbers = text.split(separator: "/").map { Int((Double($0) ?? 0) * 1e9 + 0.5) }
        let (prompt, completion) = (numbers[0], numbers.count > 1 ? numbers[1] : numbers[0])
        let read = numbers.count > 2 ? numbers[2] : prompt
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var usage = usage(&random)
            usage.reportedCost = nil
            let cached = min(usage.cachedTokens, usage.promptTokens)
            let cost = (usage.promptTokens - cached) * prompt + usage.completionTokens * completion + cached * read
            #expect(price.cost(usage).picodollars == cost)
        }
    }

    @Test(
        "what is reserved is the dearest and the cheapest that may come",
        arguments: [
            ("3/15/0.3/3.75 per million", 1_000, nil, 3_750 + 1_500, 300 + 1_500),
            ("3/15/0.3/3.75/6 per million", 1_000, nil, 6_000 + 1_500, 300 + 1_500),
            ("2/10", 1_000, nil, 3_000_000, 3_000_000),
            ("2/10 per million flex 1/5 priority 4/20", 1_000, nil, 4_000 + 2_000, 1_000 + 500),
            ("2/10 per million flex 1/5 priority 4/20", 1_000, "auto", 4_000 + 2_000, 1_000 + 500),
            ("2/10 per million flex 1/5 priority 4/20", 1_000, "flex", 1_000 + 500, 1_000 + 500),
            ("2/10 per million flex 1/5 priority 4/20", 1_000, "default", 2_000 + 1_000, 2_000 + 1_000),
            // The estimate may be too low by a third, or too high.
            ("2/10 per million over 1400 4/20", 1_000, nil, 4_000 + 2_000, 2_000 + 1_000),
            ("2/10 per million over 1500 4/20", 1_000, nil, 2_000 + 1_000, 2_000 + 1_000),
            ("2/10 per million over 900 4/20", 1_000, nil, 4_000 + 2_000, 2_000 + 1_000),
            ("reported", 1_000, nil, 0, 0), ("reported 2/10 per million", 1_000, nil, 3_000, 3_000),
        ] as [(String, Int, String?, Int, Int)]
    )
    func reserved(text: String, tokens: Int, tier: String?, highest: Int, lowest: Int) throws {
        let price = try #require(Price(text))
        let usage = Usage(promptTokens: tokens, completionTokens: 100)
        let tiers = Price.Tiers(requested: tier)
        #expect(price.highestCost(usage, tiers: tiers).picodollars == highest * 1_000_000)
        #expect(price.lowestCost(usage, tiers: tiers).picodollars == lowest * 1_000_000)
    }

    @Test("nothing overflows", arguments: ["1000 over 5 1000 flex 1000", "1000/1000/1000/1000/1000/1000/1000"])
    func absurd(text: String) throws {
        var fees = ToolFees()
        fees[.webSearch] = .max / 3
        let price = try #require(Price(text)).adding(fees, credit: Cost(picodollars: 1 << 50))
        var usage = Usage(promptTokens: .max, completionTokens: .max)
        usage.toolUses[.webSearch] = .max
        (usage.cachedTokens, usage.cacheWriteTokens, usage.longCacheWriteTokens) = (.max / 2, .max, .max)
        for cost in [price.cost(usage), price.highestCost(usage), price.lowestCost(usage), price.cost(ofCredits: .max)]
        {
            #expect(cost.picodollars == Cost.maxPicodollars)
        }
        #expect(usage.longCacheWriteTokens == 1 << 32 - 1 && usage.toolUses[.webSearch] == 65_535)
    }

    @Test("a price of the vendor's list has its decimals, those behind the twelfth rounded up")
    func listed() throws {
        var listed = ListedPrice()
        listed[.prompt] = "0.0000025"
        #expect(Price(listed) == nil)
        listed[.completion] = "0.00000000000011"
        let price = try #require(Price(listed))
        #expect(price.cost(Usage(promptTokens: 2, completionTokens: 1)).picodollars == 5_000_001)
        listed[.cacheRead] = "0"
        listed[.cacheWrite] = "0.000003"
        #expect(Price(listed)?.plain?.picodollars == [2_500_000, 1, 0, 3_000_000, 3_000_000, 2_500_000, 1])
        (listed[.longCacheWrite], listed[.audioOutput]) = ("0.000005", "0.000004")
        let whole = try #require(Price(listed))
        #expect(whole.plain?.picodollars == [2_500_000, 1, 0, 3_000_000, 5_000_000, 2_500_000, 4_000_000])
        #expect(ListedPrice(whole)[.longCacheWrite] == "0.000005" && ListedPrice(whole)[.audioOutput] == "0.000004")
    }

    @Test(
        "a request, a search, audio and reasoning have the prices of the vendor's list, fees in the settings come first"
    )
    func listedRequests() throws {
        var listed = ListedPrice()
        (listed[.prompt], listed[.completion], listed[.request]) = ("0.000001", "0.000002", "0.005")
        (listed[.audio], listed[.webSearch], listed[.reasoning]) = ("0.00001", "0.01", "0.000003")
        let price = try #require(Price(listed))
        var usage = Usage(promptTokens: 3, completionTokens: 2)
        (usage.audioPromptTokens, usage.reasoningTokens) = (1, 1)
        usage.toolUses[.webSearch] = 2
        let millionths = 2 + 10 + 2 + 3 + 5_000
        #expect(price.cost(usage).picodollars == (millionths + 20_000) * 1_000_000)
        #expect(price.highestCost(usage).picodollars == (30 + 6 + 5_000 + 20_000) * 1_000_000)
        #expect(price.highestCost(usage, calls: 3).picodollars == (30 + 6 + 15_000 + 20_000) * 1_000_000)
        #expect(price.lowestCost(usage).picodollars == (3 + 4 + 5_000) * 1_000_000)
        var fees = ToolFees()
        fees[.webSearch] = 1_000_000
        #expect(price.adding(fees, credit: nil).cost(usage).picodollars == (millionths + 2) * 1_000_000)
        listed[.reasoning] = "0"
        #expect(Price(listed)?.cost(usage).picodollars == (millionths - 1 + 20_000) * 1_000_000)
        listed[.reasoning] = "0.000001"
        #expect(Price(listed)?.lowestCost(usage).picodollars == (3 + 2 + 5_000) * 1_000_000)
        listed[.reasoning] = "0.000003"
        #expect(price.cost(.nothing) == .nothing && ListedPrice(price) == listed)
    }

    @Test("long prompts have the prices of the vendor's list from their bound on, and else the usual ones")
    func listedLongPrompts() throws {
        let text = """
            {"prompt":"0.000001","completion":"0.000002","input_cache_read":"0.0000001",
            "internal_reasoning":"0.000002","overrides":[
            {"min_prompt_tokens":1000,"prompt":"0.000004","completion":"0.000005","input_cache_read":"0.0000004"},
            {"min_prompt_tokens":200,"prompt":"0.000002"},{"prompt":"0.5"},{"min_prompt_tokens":"many"},7,
            {"min_prompt_tokens":5000},{"min_prompt_tokens":0,"prompt":"0.5"},{"min_prompt_tokens":1e30,"prompt":"0.5"}]}
            """
        var body = ByteBuffer()
        body.append(text)
        let parser = JSONParser()
        let listed = ListedPrice(try parser.parse(body.bytes))
        let written = ByteBuffer(json: "{\(members: listed.members)}")
        #expect(ListedPrice(try parser.parse(written.bytes)) == listed)
        let price = try #require(Price(listed))
        func picodollars(_ promptTokens: Int) -> Int {
            var usage = Usage(promptTokens: promptTokens, completionTokens: 10)
            (usage.cachedTokens, usage.reasoningTokens) = (100, 4)
            return price.cost(usage).picodollars / 100_000
        }
        #expect(picodollars(199) == 99 * 10 + 100 * 1 + 10 * 20)
        #expect(picodollars(200) == 100 * 20 + 100 * 1 + 10 * 20)
        #expect(picodollars(1_000) == 900 * 40 + 100 * 4 + 10 * 50)
        #expect(price.highestCost(Usage(promptTokens: 600, completionTokens: 0)).picodollars == 600 * 2_000_000)
        #expect(Price(ListedPrice(price)) == price)
        let shown = ListedPrice(price).ofLongPrompts.map(\.price)
        #expect(shown.map { $0[.prompt] } == ["0.000002", "0.000004"])
        #expect(shown.map { $0[.cacheRead] } == ["0.0000001", "0.0000004"])
        #expect(shown.map { $0[.reasoning] } == ["0.000002", "0.000005"])
    }

    @Test("credits cost what a credit costs, if they are known")
    func credits() {
        let price = Price(nil).adding(ToolFees(), credit: Cost(picodollars: 10))
        #expect(price.knownCost(.nothing, credits: 7)?.picodollars == 70)
        #expect(price.knownCost(Usage(promptTokens: 5, completionTokens: 5)) == nil)
        #expect(price.usesCredits && price.cost(ofCredits: 3).picodollars == 30)
    }
}
