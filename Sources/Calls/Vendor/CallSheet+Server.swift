package import Shared

extension CallSheet {
    /// A provider, and its model, that is called. A class, as it is passed on more often than made.
    package final class Server: Sendable {
        package let provider: String
        /// The model as callers name it; empty: the call is about no model.
        package let name: String
        /// The vendor's name of it.
        package let model: String
        /// Nil: not known.
        package let price: Price?
        /// Nil: it takes no credits.
        package let credits: CreditPrices?
        /// The day on which the model ends.
        package let shutdownDate: Day?

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

        /// That a call takes by its vendor's list; nil: that does not tell it.
        func credits(_ usage: Usage, _ terms: CallTerms) -> Int? {
            guard let credits else { return 0 }
            return usage.totalTokens > 0 ? credits.chat?.credits(usage, terms.pictures) : nil
        }
    }

    package var provider: String? { server?.provider }

    /// A candidate's failure, for the log and counts.
    package struct Failure: Sendable {
        package let provider: String
        /// The name of the provider's own key; nil: it was the caller's, or none.
        package let key: String?
        package let fault: UpstreamFault
        package let cause: String
    }
}
