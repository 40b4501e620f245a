import Calls
import Limits
import Shared

/// The credits that a chat may take.
struct CreditNeeds {
    private let calls: Int
    /// Of each call; of all, if their prompts differ.
    private let usage: Usage
    private let arePromptsSeparate: Bool
    /// Of the prompt.
    let pictures: ChatCredits.Pictures
    /// That a call of a model that does not chat makes.
    private let images: Int
    /// Of a call, as far as the vendor's list does not tell it.
    private let expected: Int
    /// The mean of the model's calls; nil: of none.
    private let mean: Int?

    /// - Parameter paid: of all calls.
    init(_ call: ChatCall, _ paid: Usage, images: Int, model: String, expecting expected: Int, _ means: UsageMeans?) {
        calls = call.choices
        arePromptsSeparate = call.arePromptsSeparate
        var usage = paid
        if !arePromptsSeparate {
            usage.promptTokens /= calls
            usage.completionTokens /= calls
        }
        self.usage = usage
        let shown = call.attachments.lazy.filter { $0.kind == .picture }
        pictures = ChatCredits.Pictures(count: shown.count, tokens: shown.isEmpty ? 0 : call.pictureTokens)
        self.images = images
        self.expected = expected
        mean = images > 0 ? means?.credits(of: model) : nil
    }

    /// Of all calls.
    func all(at prices: CreditPrices) -> Int {
        if let chat = prices.chat, arePromptsSeparate { return chat.credits(usage, pictures) }
        let (sum, isTooLarge) = calls.multipliedReportingOverflow(by: one(at: prices))
        return isTooLarge ? Quota.countBound : min(sum, Quota.countBound)
    }

    /// Of each call.
    func one(at prices: CreditPrices) -> Int {
        if let chat = prices.chat {
            return chat.credits(usage, pictures) / (arePromptsSeparate ? calls : 1)
        }
        return prices.ofImages(images, mean: mean) ?? expected
    }
}

extension CreditPrices {
    /// Of calls that make so many images, by which no fewer are paid than for the least quality; nil: not told.
    ///
    /// - Parameter mean: what such calls took; nil: not known.
    func ofImages(_ count: Int, mean: Int?) -> Int? {
        guard count > 0, let least = ofImages(count) else { return nil }
        return max(least, mean ?? 0)
    }
}
