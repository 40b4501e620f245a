package import Shared

extension Billing {
    /// The destination of an upstream call: a provider and one of its models.
    package final class Server: Sendable {
        // It is a class, because it is passed on more often than it is created.
        package let provider: String
        /// The name by which callers request the model; empty if the call concerns no model.
        package let name: String
        /// The vendor's name for the model; empty if the call concerns no model.
        package let model: String
        /// The price of the model; nil if it is not known.
        package let price: Price?
        /// The credit prices of the model; nil if the model uses no credits.
        package let credits: CreditPrices?
        /// The day on which the vendor shuts down the model; nil if no day is known.
        package let shutdownDate: Day?

        /// The destination of a call whose provider is not known.
        static let unknown = Server("")

        package init(
            _ provider: String,
            name: String = "",
            model: String = "",
            price: Price? = nil,
            credits: CreditPrices? = nil,
            shutdownDate: Day? = nil
        ) {
            self.provider = provider
            self.name = name
            self.model = model
            self.price = price
            self.credits = credits
            self.shutdownDate = shutdownDate
        }

        /// Returns the credits of an upstream call by the vendor's price list; 0 if the model uses no credits.
        ///
        /// Returns nil if the list has no price or the call used no tokens.
        func credits(_ usage: Usage, _ usageReservation: UsageReservation) -> Int? {
            credits(usage, usageReservation.prompt.images)
        }

        private func credits(_ usage: Usage, _ images: ChatCredits.Images) -> Int? {
            guard let credits else { return 0 }
            return usage.totalTokens > 0 ? credits.chat?.credits(usage, images) : nil
        }

        /// Returns the credits from which the cost of an upstream call follows; nil if it does not follow from credits.
        ///
        /// - Parameter reported: the credits that the vendor reported; nil if it reported none.
        func pricedCredits(_ usage: Usage, reported: Int?, _ images: ChatCredits.Images) -> Int? {
            guard price?.usesCredits ?? false else { return nil }
            return reported ?? credits(usage, images)
        }
    }

    package var provider: String? { server?.provider }

    /// The failure of a candidate, for the log and the metrics.
    package struct Failure: Sendable {
        package let provider: String
        /// The log's name for the provider's key, such as `k1`; nil for the caller's key or no key.
        package let key: String?
        package let fault: UpstreamFault
        package let cause: String
    }
}
