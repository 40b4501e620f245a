import Limits

/// The prices of a model's calls in credits, from the vendor's list. They are whole numbers, so that sums are exact.
package struct CreditPrices: Sendable, Equatable {
    /// The prices of chats; nil if the vendor's list has none.
    package var chat: ChatCredits?
    /// The price of one generated image at the lowest quality, in 10^-9 credits; nil if the vendor's list has none.
    package var imageParts: Int?

    package init(chat: ChatCredits? = nil, imageParts: Int? = nil) {
        self.chat = chat
        self.imageParts = imageParts
    }

    /// Adds the prices that another list of the vendor has and this one lacks.
    package mutating func add(_ other: CreditPrices) {
        chat = chat ?? other.chat
        imageParts = imageParts ?? other.imageParts
    }

    /// Returns the credits for generated images, rounded up; nil if the price is unknown.
    package func ofImages(_ count: Int) -> Int? {
        imageParts.map { ChatCredits.rounded([count.multipliedReportingOverflow(by: $0)]) }
    }
}

/// The prices of a model's chats in credits.
package struct ChatCredits: Sendable, Equatable {
    /// The price of a prompt token, in 10^-9 credits.
    private let promptParts: Int
    private let completionParts: Int
    /// The price of an image in the prompt, in 10^-9 credits; nil: the vendor charges the image's tokens.
    private let imageParts: Int?

    package static let parts = 1_000_000_000

    package init(promptParts: Int, completionParts: Int, imageParts: Int?) {
        self.promptParts = promptParts
        self.completionParts = completionParts
        self.imageParts = imageParts
    }

    /// The number of images in a prompt, and their tokens.
    package struct Images: Sendable {
        let count: Int
        /// The tokens of the images, which the tokens of the prompt include.
        let tokens: Int

        package static let none = Images(count: 0, tokens: 0)

        package init(count: Int, tokens: Int) {
            self.count = count
            self.tokens = tokens
        }
    }

    /// Returns the credits of one call, rounded up.
    package func credits(_ usage: Usage, _ images: Images) -> Int {
        var prompt = usage.promptTokens
        if imageParts != nil { prompt = max(0, prompt - images.tokens) }
        return Self.rounded([
            prompt.multipliedReportingOverflow(by: promptParts),
            usage.completionTokens.multipliedReportingOverflow(by: completionParts),
            images.count.multipliedReportingOverflow(by: imageParts ?? 0),
        ])
    }

    /// Returns the sum of products in credits, rounded up. An overflow becomes the largest number that limits can
    /// count.
    fileprivate static func rounded(_ products: [(partialValue: Int, overflow: Bool)]) -> Int {
        var sum = 0
        for product in products {
            let (next, isTooLarge) = sum.addingReportingOverflow(product.partialValue)
            if isTooLarge || product.overflow { return Quota.countBound }
            sum = next
        }
        return sum / parts + (sum % parts == 0 ? 0 : 1)
    }
}
