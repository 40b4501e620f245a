import Limits
import Shared
import Upstream

/// An estimate of the credits that a chat costs.
struct CreditNeeds {
    private let calls: Int
    /// The estimated usage of one upstream call; of all upstream calls together if `arePromptsSeparate`.
    private let usage: Usage
    private let arePromptsSeparate: Bool
    let promptImages: ChatCredits.Images
    /// The number of images that one upstream call makes; 0 if the model is no image model.
    private let images: Int
    /// The credits to reserve for one upstream call of a model without a list price.
    private let expected: Int
    /// The average credits of an image model's recent calls; nil if unknown.
    private let mean: Int?

    /// Estimates the credits of a chat.
    /// - Parameters:
    ///   - paid: the estimated usage of all upstream calls together.
    ///   - expected: the credits of one upstream call if the model has no list price.
    init(
        _ call: borrowing ChatCall,
        _ paid: Usage,
        images: Int,
        model: String,
        expecting expected: Int,
        _ averages: RecentUsageAverages?
    ) {
        calls = call.choices
        arePromptsSeparate = call.arePromptsSeparate
        var usage = paid
        if !arePromptsSeparate {
            usage.promptTokens /= calls
            usage.completionTokens /= calls
        }
        self.usage = usage
        let shown = call.attachments.lazy.filter { $0.kind == .image }
        promptImages = ChatCredits.Images(count: shown.count, tokens: shown.isEmpty ? 0 : call.imageTokens)
        self.images = images
        self.expected = expected
        mean = images > 0 ? averages?.means(of: model).knownCredits : nil
    }

    /// Returns the credits of all upstream calls together.
    func all(at prices: CreditPrices) -> Int {
        if let chat = prices.chat, arePromptsSeparate { return chat.credits(usage, promptImages) }
        let (sum, isTooLarge) = calls.multipliedReportingOverflow(by: one(at: prices))
        return isTooLarge ? Quota.countBound : min(sum, Quota.countBound)
    }

    /// Returns the credits of one upstream call.
    func one(at prices: CreditPrices) -> Int {
        if let chat = prices.chat { return chat.credits(usage, promptImages) / (arePromptsSeparate ? calls : 1) }
        return prices.ofImages(images, mean: mean) ?? expected
    }
}

extension CreditPrices {
    /// Returns the credits to reserve for a call that makes `count` images.
    ///
    /// Nil if no price is known or `count` is 0.
    func ofImages(_ count: Int, mean: Int?) -> Int? {
        guard count > 0, let least = ofImages(count) else { return nil }
        return max(least, mean ?? 0)
    }
}
