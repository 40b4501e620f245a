import Limits

/// The prices of a model's calls in credits, from 1min.ai's model list.
package struct CreditPrices: Sendable, Equatable {
    /// The prices for chats; nil if 1min.ai's list has no such prices.
    package var chat: ChatCredits?
    /// The price for one image at the lowest quality; nil if unknown.
    package var imageNanocredits: Int?

    package init(chat: ChatCredits? = nil, imageNanocredits: Int? = nil) {
        self.chat = chat
        self.imageNanocredits = imageNanocredits
    }

    /// Takes over prices from `other` that are unknown in this value. Known prices stay unchanged.
    package mutating func add(_ other: CreditPrices) {
        chat = chat ?? other.chat
        imageNanocredits = imageNanocredits ?? other.imageNanocredits
    }

    /// Returns the credits that generating `count` images costs, rounded up; nil if the price is unknown.
    package func ofImages(_ count: Int) -> Int? {
        imageNanocredits.map { ChatCredits.rounded([count.multipliedReportingOverflow(by: $0)]) }
    }
}

/// The prices for chats with a model, in 1min.ai's credits.
package struct ChatCredits: Sendable, Equatable {
    /// The price for a prompt token.
    private let promptNanocredits: Int
    private let completionNanocredits: Int
    /// The price for an image in the prompt; nil if an image costs as much as its tokens.
    private let imageNanocredits: Int?

    package static let nanocreditsPerCredit = 1_000_000_000

    package init(promptNanocredits: Int, completionNanocredits: Int, imageNanocredits: Int?) {
        self.promptNanocredits = promptNanocredits
        self.completionNanocredits = completionNanocredits
        self.imageNanocredits = imageNanocredits
    }

    /// The number of images in a prompt, and their tokens.
    package struct Images: Sendable {
        let count: Int
        /// The tokens of all images together. The prompt's tokens include them.
        let tokens: Int

        package static let none = Images(count: 0, tokens: 0)

        package init(count: Int, tokens: Int) {
            self.count = count
            self.tokens = tokens
        }
    }

    /// Returns the credits that one chat call costs, rounded up.
    package func credits(_ usage: Usage, _ images: Images) -> Int {
        var prompt = usage.promptTokens
        if imageNanocredits != nil { prompt = max(0, prompt - images.tokens) }
        return Self.rounded([
            prompt.multipliedReportingOverflow(by: promptNanocredits),
            usage.completionTokens.multipliedReportingOverflow(by: completionNanocredits),
            images.count.multipliedReportingOverflow(by: imageNanocredits ?? 0),
        ])
    }

    /// Adds up products of counts and prices. Returns whole credits, rounded up; `Quota.countBound` on overflow.
    fileprivate static func rounded(_ products: [(partialValue: Int, overflow: Bool)]) -> Int {
        var sum = 0
        for product in products {
            let (next, isTooLarge) = sum.addingReportingOverflow(product.partialValue)
            if isTooLarge || product.overflow { return Quota.countBound }
            sum = next
        }
        return sum / nanocreditsPerCredit + (sum % nanocreditsPerCredit == 0 ? 0 : 1)
    }
}
