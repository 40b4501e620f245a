/// The tokens, images, dollars and credits that a request might use or has used. The request itself always counts as
/// one unit of `requests` and of `concurrent`.
package struct Amounts: Sendable, Equatable {
    package var tokens: Int
    package var images: Int
    /// The amount of money in nanodollars.
    package var usd: Int
    package var credits: Int

    package init(tokens: Int = 0, images: Int = 0, usd: Int = 0, credits: Int = 0) {
        self.tokens = tokens
        self.images = images
        self.usd = usd
        self.credits = credits
    }

    package subscript(unit: Quota.Unit) -> Int {
        switch unit {
        case .requests, .concurrent: 1
        case .tokens: tokens
        case .images: images
        case .usd: usd
        case .credits: credits
        }
    }

    /// Returns the sum of two amounts, unit by unit. A sum that overflows becomes `Int.max`.
    package static func + (one: Amounts, other: Amounts) -> Amounts {
        func sum(_ a: Int, _ b: Int) -> Int {
            let (sum, isTooLarge) = a.addingReportingOverflow(b)
            return isTooLarge ? .max : sum
        }
        return Amounts(
            tokens: sum(one.tokens, other.tokens),
            images: sum(one.images, other.images),
            usd: sum(one.usd, other.usd),
            credits: sum(one.credits, other.credits)
        )
    }
}
