import Limits
import Shared
import Upstream

extension UsageReservation {
    /// Creates the reservation for images or speech; nil if the limits count only requests.
    /// - Parameter promptTokens: the estimated tokens of the text that the vendor gets.
    convenience init?(
        images: Int,
        promptTokens: Int = 0,
        calls: Int,
        _ candidate: Candidate,
        _ applicableLimits: ApplicableLimits,
        gateway: Gateway
    ) {
        guard gateway.limits.countsLate || !applicableLimits.isPlain else { return nil }
        let averages = gateway.limiter.averages
        var (credits, least) = (0, 0)
        if !applicableLimits.isPlain, let prices = candidate.server.credits {
            let mean = averages.means(of: candidate.model.id).knownCredits
            credits =
                prices.ofImages(images, mean: mean.map { calls * $0 }) ?? calls
                * (mean ?? RecentUsageAverages.firstCredits)
            // The first credits of a model without a price are no mean, so they belong to the minimum.
            let guess = min(mean ?? RecentUsageAverages.firstCredits, RecentUsageAverages.firstCredits)
            least = prices.ofImages(images, mean: nil) ?? calls * guess
        }
        let price = candidate.price
        let usd = price?.highestCost(Usage(pieces: images, .image)).nanodollars ?? 0
        func dollars(_ credits: Int) -> Int { max(usd, price?.cost(ofCredits: credits).nanodollars ?? 0) }
        self.init(
            reserving: Amounts(tokens: promptTokens, images: images, usd: dollars(credits), credits: credits),
            atLeast: Amounts(tokens: promptTokens, images: images, usd: dollars(least), credits: least),
            model: candidate.model.id,
            creditsPerCall: credits / max(1, calls),
            averages: averages,
            prompt: Prompt(tokens: promptTokens)
        )
    }

    /// Creates the reservation for a transcription; nil if the limits count only requests.
    convenience init?(
        transcriptOf name: String,
        by candidate: Candidate,
        for caller: Caller,
        _ applicableLimits: ApplicableLimits,
        _ gateway: Gateway
    ) {
        guard
            let usageReservation = UsageReservation(images: 0, calls: 1, candidate, applicableLimits, gateway: gateway)
        else {
            return nil
        }
        var (reserved, least) = (usageReservation.reserved, usageReservation.minimum)
        if !applicableLimits.isPlain {
            let expected = gateway.expectedTokens(of: candidate.model, for: caller)
            let averages = gateway.limiter.averages
            var usage = Usage(pieces: averages.means(of: candidate.model.id, for: caller.identity).seconds, .second)
            usage.completionTokens = expected
            let prices = gateway.registry.prices(of: candidate, asked: name, for: caller)
            reserved.tokens = usage.totalTokens
            reserved.usd = max(reserved.usd, prices.map { $0.highestCost(usage).nanodollars }.max() ?? 0)
            let minute = Usage(pieces: min(usage.pieces, RecentUsageAverages.firstSeconds), .second)
            least.usd = max(least.usd, prices.map { $0.lowestCost(minute).nanodollars }.max() ?? 0)
        }
        self.init(reserving: reserved, atLeast: least, usageReservation)
    }

    /// Creates a copy of `usageReservation` with the given amounts.
    /// - Parameter minimum: the units that the request is assumed to need at least.
    convenience init(reserving amounts: Amounts, atLeast minimum: Amounts, _ usageReservation: UsageReservation) {
        self.init(
            reserving: amounts,
            atLeast: minimum,
            model: usageReservation.model,
            creditsPerCall: usageReservation.creditsPerCall,
            averages: usageReservation.averages
        )
    }
}

extension Gateway {
    /// Returns the expected completion tokens of the model's response to a caller, from recent responses.
    func expectedTokens(of model: Model, for caller: Caller?) -> Int {
        let means = limiter.averages.means(of: model.id, for: caller?.identity)
        return min(means.completionTokens, model.maxOutputTokens ?? .max)
    }
}
