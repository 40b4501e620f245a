import Calls
import Limits
import Shared

/// The credits that a chat may use.
struct CreditNeeds {
    private let calls: Int
    /// The usage of one call; the usage of all calls together if their prompts are separate.
    private let usage: Usage
    private let arePromptsSeparate: Bool
    /// The images of the prompt.
    let promptImages: ChatCredits.Images
    /// The number of images in one call of an image model; 0 for a chat model.
    private let images: Int
    /// The credits to reserve for one call whose price the vendor's list does not give.
    private let expected: Int
    /// The mean credits of the image model's recent calls; nil if there were none, or for a chat model.
    private let mean: Int?

    /// - Parameter paid: the usage of all calls together.
    init(
        _ call: ChatCall,
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
        mean = images > 0 ? averages?.credits(of: model) : nil
    }

    /// Returns the credits of all calls together.
    func all(at prices: CreditPrices) -> Int {
        if let chat = prices.chat, arePromptsSeparate { return chat.credits(usage, promptImages) }
        let (sum, isTooLarge) = calls.multipliedReportingOverflow(by: one(at: prices))
        return isTooLarge ? Quota.countBound : min(sum, Quota.countBound)
    }

    /// Returns the credits of one call.
    func one(at prices: CreditPrices) -> Int {
        if let chat = prices.chat {
            return chat.credits(usage, promptImages) / (arePromptsSeparate ? calls : 1)
        }
        return prices.ofImages(images, mean: mean) ?? expected
    }
}

extension CreditPrices {
    /// Returns the credits for `count` images: the recent mean, and at least the price of the lowest quality; nil if no
    /// price is known.
    ///
    /// - Parameter mean: the mean credits of recent calls; nil if it is not known.
    func ofImages(_ count: Int, mean: Int?) -> Int? {
        guard count > 0, let least = ofImages(count) else { return nil }
        return max(least, mean ?? 0)
    }
}
