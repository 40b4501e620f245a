import Limits
import Testing

@testable import Shared

@Suite struct PriceTests {
    @Test(
        "a cost is exact",
        arguments: [
            ("0.002", 20, 30, "0.0001", 100_000), ("0.001/0.004", 1_000, 500, "0.003", 3_000_000),
            ("0/1000", 5, 1, "1", 1_000_000_000), ("0.000000001", 1, 0, "0", 1),
            ("0.000000001", 99, 1, "0.0000000001", 1),
            ("0.00000015/0.0000006", 1, 1, "0.0000000008", 1), ("0.01", 0, 0, "0", 0),
            ("1000", 1_500, 0, "1500", 1_500_000_000_000),
        ]
    )
    func exact(price: String, prompt: Int, completion: Int, text: String, nanodollars: Int) throws {
        let cost = try #require(Price(price)).cost(Usage(promptTokens: prompt, completionTokens: completion))
        #expect(cost.text == text)
        #expect(cost.nanodollars == nanodollars)
    }

    @Test(
        "prompts from a cache have a price of their own, if it is given",
        arguments: [("0.001/0.004/0.0005", "0.00735"), ("0.001/0.004", "0.0081"), ("0.001/0.004/0", "0.0066")]
    )
    func cached(price: String, text: String) throws {
        var usage = Usage(promptTokens: 6_100, completionTokens: 500)
        usage.cachedTokens = 1_500
        #expect(try #require(Price(price)).cost(usage).text == text)
        usage.cachedTokens = .max
        #expect(try #require(Price(price)).cost(usage).picodollars >= 0)
    }

    @Test(
        "a half of the tenth decimal goes to the even one",
        arguments: [(50, "0"), (51, "0.0000000001"), (150, "0.0000000002"), (250, "0.0000000002")]
    )
    func halves(tokens: Int, text: String) throws {
        let price = try #require(Price("0.000000001"))
        #expect(price.cost(Usage(promptTokens: tokens, completionTokens: 0)).text == text)
    }

    @Test("absurd numbers of tokens neither crash nor wrap", arguments: [Int.max, 1 << 40, .max / 1_000])
    func absurd(tokens: Int) throws {
        let cost = try #require(Price("1000")).cost(Usage(promptTokens: tokens, completionTokens: tokens))
        #expect(cost.text == "9000000")
        #expect(cost.nanodollars <= Quota.countBound)
    }

    @Test("sums of the largest amounts are the largest amount")
    func sums() {
        let most = Cost(picodollars: .max)
        #expect((most + most).text == "9000000")
        let all = Amounts(tokens: .max, images: .max, usd: .max, credits: .max)
        #expect(all + all == all)
    }

    @Test(
        "what is no price",
        arguments: ["", "/", "1/", "a", "1.", ".5", "-1", "1/2/3/4/5/6/7/8", "1001", "0.0000000001", "1 000"]
    )
    func none(text: String) { #expect(Price(text) == nil) }
}

@Suite struct CreditPricesTests {
    private let price = ChatCredits(
        promptNanocredits: 1_500_000_000,
        completionNanocredits: 100_000_001,
        imageNanocredits: 250_000_000
    )

    @Test(
        "credits of a chat are exact, and rounded up",
        arguments: [(2, 0, 3), (2, 10, 5), (0, 9, 1), (0, 0, 0), (4, 20, 9)]
    )
    func exact(prompt: Int, completion: Int, credits: Int) {
        let usage = Usage(promptTokens: prompt, completionTokens: completion)
        #expect(price.credits(usage, .none) == credits)
    }

    @Test("pictures that have a price do not pay for their tokens")
    func images() {
        let shown = ChatCredits.Images(count: 2, tokens: 170)
        let usage = Usage(promptTokens: 172, completionTokens: 0)
        #expect(price.credits(usage, shown) == 4)
        #expect(price.credits(Usage(promptTokens: 5, completionTokens: 0), shown) == 1)
        let plain = ChatCredits(
            promptNanocredits: ChatCredits.nanocreditsPerCredit,
            completionNanocredits: 0,
            imageNanocredits: nil
        )
        #expect(plain.credits(usage, shown) == 172)
    }

    @Test("absurd numbers neither crash nor wrap", arguments: [Int.max, 1 << 40, .max / 1_000])
    func absurd(count: Int) {
        let dear = ChatCredits(promptNanocredits: 1 << 50, completionNanocredits: 1 << 50, imageNanocredits: 1 << 50)
        let usage = Usage(promptTokens: count, completionTokens: count)
        #expect(dear.credits(usage, .init(count: count, tokens: 0)) == Quota.countBound)
        #expect(CreditPrices(imageNanocredits: 1 << 50).ofImages(count) == Quota.countBound)
    }

    @Test("what lists tell goes together, the first one first")
    func sums() {
        var all = CreditPrices(imageNanocredits: 1)
        all.add(CreditPrices(chat: price, imageNanocredits: 2))
        #expect(all == CreditPrices(chat: price, imageNanocredits: 1))
        #expect(all.ofImages(3) == 1 && CreditPrices().ofImages(3) == nil)
    }
}

@Suite struct RecentUsageAveragesTests {
    @Test("the mean of the last hundred answers of that model, rounded up")
    func mean() {
        let averages = RecentUsageAverages { 0 }
        #expect(averages.means(of: "a").ofUsage == (1_000, 100))
        averages.record("a", by: nil, .init(completionTokens: 10, credits: nil))
        #expect(averages.means(of: "a").ofUsage == (10, 100))
        averages.record("a", by: nil, .init(completionTokens: 11, credits: 7))
        #expect(averages.means(of: "a").ofUsage == (11, 7))
        #expect(averages.means(of: "b").ofUsage == (1_000, 100))
        for _ in 0..<99 { averages.record("a", by: nil, .init(completionTokens: 200, credits: 3)) }
        // The averages of 11 and 99 times 200, and of 7 and 99 times 3.
        #expect(averages.means(of: "a").ofUsage == (199, 4))
        averages.record("a", by: nil, .init(completionTokens: 200, credits: 3))
        #expect(averages.means(of: "a").ofUsage == (200, 3))
    }

    @Test("nothing is less than 1, and nothing overflows")
    func bounds() {
        let averages = RecentUsageAverages { 0 }
        averages.record("a", by: nil, .init(completionTokens: 0, credits: 0))
        #expect(averages.means(of: "a").ofUsage == (1, 1))
        for _ in 0..<200 { averages.record("b", by: nil, .init(completionTokens: .max, credits: .max)) }
        #expect(averages.means(of: "b").completionTokens == Quota.countBound)
    }

    @Test("of any number of models the last ones are remembered")
    func bounded() {
        let averages = RecentUsageAverages { 0 }
        for number in 0..<3_000 { averages.record("model-\(number)", by: nil, .init(completionTokens: 5, credits: 5)) }
        #expect(averages.means(of: "model-2999").ofUsage == (5, 5))
        #expect(averages.means(of: "model-0").ofUsage == (1_000, 100))
    }

    @Test("a caller's own responses count first, then those of all callers")
    func ofCallers() {
        let averages = RecentUsageAverages { 0 }
        let (one, other) = (Identity.address("1.1.1.1"), Identity.address("2.2.2.2"))
        for _ in 0..<100 { averages.record("a", by: one, .init(completionTokens: 4_000, credits: 4_000)) }
        #expect(averages.means(of: "a", for: other).ofUsage == (4_000, 4_000))
        #expect(averages.means(of: "a").ofUsage == (4_000, 4_000))
        averages.record("a", by: other, .init(completionTokens: 30, credits: nil))
        #expect(averages.means(of: "a", for: other).ofUsage == (30, 4_000))
        #expect(averages.means(of: "a", for: one).ofUsage == (4_000, 4_000))
        #expect(averages.means(of: "b", for: other).ofUsage == (1_000, 100))
    }

    @Test("twice the mean is likely, at least 256 tokens, and 1000 of a model without a response")
    func likely() {
        let averages = RecentUsageAverages { 0 }
        #expect(averages.means(of: "a").likelyTokens == 1_000)
        averages.record("a", by: nil, .init(completionTokens: 500))
        #expect(averages.means(of: "a").likelyTokens == 1_000)
        averages.record("a", by: nil, .init(completionTokens: 2_500))
        #expect(averages.means(of: "a").likelyTokens == 3_000)
        averages.record("b", by: nil, .init(completionTokens: 3))
        #expect(averages.means(of: "b").likelyTokens == 256)
    }

    @Test("a lesson without completion tokens, as of a response that was cut off, leaves their mean")
    func lessons() {
        let averages = RecentUsageAverages { 0 }
        averages.record("a", by: nil, .init(completionTokens: 40))
        var lesson = RecentUsageAverages.Lesson(credits: 7)
        lesson.promptPrice = 300
        lesson.bytesPerThousand = 4_500
        averages.record("a", by: nil, lesson)
        #expect(averages.means(of: "a").ofUsage == (40, 7))
        #expect(averages.means(of: "a").promptPrice == 300 && averages.means(of: "a").bytesPerThousand == 4_500)
        #expect(averages.means(of: "b").promptPrice == nil && averages.means(of: "b").bytesPerThousand == nil)
    }
}

extension RecentUsageAverages.Means {
    fileprivate var ofUsage: (Int, Int) { (completionTokens, credits) }
}
