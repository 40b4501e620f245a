import Calls
import Limits
import Shared
import Upstream

extension UsageReservation {
    /// Creates the terms of calls that make images or speech; nil if limits count only requests.
    init?(images: Int, calls: Int, _ candidate: Candidate, _ applicableLimits: ApplicableLimits, _ gateway: Gateway) {
        guard gateway.limits.countsLate || !applicableLimits.isPlain else { return nil }
        let means = gateway.limiter.means
        var (credits, least) = (0, 0)
        if !applicableLimits.isPlain, let prices = candidate.server.credits {
            let mean = means.credits(of: candidate.model.id)
            credits =
                prices.ofImages(images, mean: mean.map { calls * $0 }) ?? calls
                * (mean ?? RecentUsageAverages.firstCredits)
            // The first guess for a new model is not a mean, so it belongs to the minimum.
            let guess = min(mean ?? RecentUsageAverages.firstCredits, RecentUsageAverages.firstCredits)
            least = prices.ofImages(images, mean: nil) ?? calls * guess
        }
        self.init(
            reserving: Amounts(images: images, credits: credits),
            atLeast: Amounts(images: images, credits: least),
            model: candidate.model.id,
            creditsPerCall: credits / max(1, calls),
            means: means
        )
    }

    /// Creates the terms of a transcription by the model `name`; nil if limits count only requests.
    init?(
        transcriptOf name: String,
        by candidate: Candidate,
        for caller: Caller,
        _ applicableLimits: ApplicableLimits,
        _ gateway: Gateway
    ) {
        guard let terms = UsageReservation(images: 0, calls: 1, candidate, applicableLimits, gateway) else {
            return nil
        }
        var reserved = terms.reserved
        if !applicableLimits.isPlain {
            let usage = Usage(promptTokens: 0, completionTokens: gateway.expectedTokens(of: candidate.model))
            let prices = gateway.registry.prices(of: candidate, asked: name, for: caller)
            reserved.tokens = usage.totalTokens
            reserved.usd = prices.map { $0.cost(usage).usdParts }.max() ?? 0
        }
        var minimum = terms.minimum
        minimum.tokens = min(reserved.tokens, RecentUsageAverages.firstCompletion)
        self.init(reserving: reserved, atLeast: minimum, terms)
    }

    /// Creates the terms of one candidate, with the amounts that another candidate might use.
    init(reserving amounts: Amounts, atLeast minimum: Amounts, _ terms: UsageReservation) {
        self.init(
            reserving: amounts,
            atLeast: minimum,
            model: terms.model,
            creditsPerCall: terms.creditsPerCall,
            means: terms.means
        )
    }
}

extension Gateway {
    /// Returns the completion tokens that a response of the model usually has.
    func expectedTokens(of model: Model) -> Int {
        min(limiter.means.expected(of: model.id).completionTokens, model.maxOutputTokens ?? .max)
    }
}
