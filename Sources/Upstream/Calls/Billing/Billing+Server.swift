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
        /// The models of the provider; nil if they are not known.
        package let models: ProviderModels?

        /// The destination of a call whose provider is not known.
        static let unknown = Server("")

        package init(
            _ provider: String,
            name: String = "",
            model: String = "",
            price: Price? = nil,
            credits: CreditPrices? = nil,
            shutdownDate: Day? = nil,
            models: ProviderModels? = nil
        ) {
            self.provider = provider
            self.name = name
            self.model = model
            self.price = price
            self.credits = credits
            self.shutdownDate = shutdownDate
            self.models = models
        }

        /// Returns the destination with the price of the model that wrote a response.
        /// - Parameter id: the vendor's id of the model. If the provider has no such model, the response has the price of
        ///   the requested one.
        func server(ofWriter id: String) -> Server { sibling(id) ?? self }

        /// Returns the destination with the price of a model that worked on a response; without a price if the provider
        /// has no such model.
        /// - Parameter id: the vendor's id of the model.
        func server(ofPart id: String) -> Server {
            if isSelf(id) { return self }
            return sibling(id) ?? Server(provider, name: id, model: id)
        }

        private func sibling(_ id: String) -> Server? {
            guard let (name, served) = models?.served(as: id) else { return nil }
            return Server(provider, name: name, model: id, price: served.price, models: models)
        }

        /// Whether the id is that of this model, perhaps with the date of a version.
        private func isSelf(_ id: String) -> Bool {
            guard id.utf8.starts(with: model.utf8) else { return false }
            return id.utf8.dropFirst(model.utf8.count).allSatisfy { $0 == UInt8(ascii: "-") || 48...57 ~= $0 }
        }

        /// Returns the credits of an upstream call by the vendor's price list; 0 if the model uses no credits.
        ///
        /// Returns nil if the list has no price or the call used no tokens.
        func credits(_ usage: Usage, _ images: ChatCredits.Images) -> Int? {
            guard let credits else { return 0 }
            return usage.totalTokens > 0 ? credits.chat?.credits(usage, images) : nil
        }

        /// Returns the credits from which the cost of an upstream call follows; nil if it does not follow from credits.
        ///
        /// If neither the vendor nor its price list states the credits, and nothing else has a price, the cost follows from
        /// those that limits of credits count.
        func pricedCredits(_ outcome: borrowing Bill.Outcome, _ images: ChatCredits.Images) -> Int? {
            guard let price, price.usesCredits else { return nil }
            if let known = outcome.credits ?? outcome.pricedCredits ?? credits(outcome.usage, images) { return known }
            return outcome.billedCredits > 0 && price.cost(outcome.usage) == .nothing ? outcome.billedCredits : nil
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
