package import Limits
package import Shared

/// The tokens, dollars, credits and images that are reserved for a request before its actual usage is known.
package final class UsageReservation: Sendable {
    package struct Prompt: Sendable {
        /// The images in the prompt, on which some prices in credits depend.
        package var images = ChatCredits.Images.none
        /// The number of prompt tokens; nil if they were not counted.
        package var tokens: Int?
        /// The tokens that are reserved for the output that follows the prompt.
        package var outputTokens: Int

        package init(images: ChatCredits.Images = .none, tokens: Int? = nil, outputTokens: Int = 0) {
            self.images = images
            self.tokens = tokens
            self.outputTokens = outputTokens
        }
    }

    /// The amounts that are reserved before the calls. Amounts that the request does not determine are estimated.
    package let reserved: Amounts
    /// The least amounts that the request is assumed to need. Averages of earlier responses do not raise them.
    package let minimum: Amounts
    package let model: String
    /// The credits that are billed for an upstream call if neither the vendor nor its price list states any.
    package let creditsPerCall: Int
    package let averages: RecentUsageAverages
    package let prompt: Prompt
    /// The likely output of a chat, by which it reserves in place of `reserved`; nil for other requests.
    package let output: LikelyOutput?

    /// Creates the reservation of a request.
    /// - Parameter minimum: the amounts that the request is assumed to need at least; nil if they equal `reserved`.
    package init(
        reserving reserved: Amounts,
        atLeast minimum: Amounts? = nil,
        model: String,
        creditsPerCall: Int,
        averages: RecentUsageAverages,
        prompt: Prompt = Prompt()
    ) {
        // The type is a class, because copies of a struct would count a reference for each text and object.
        self.reserved = reserved
        self.minimum = minimum ?? reserved
        self.model = model
        self.creditsPerCall = creditsPerCall
        self.averages = averages
        self.prompt = prompt
        output = nil
    }

    /// Creates the reservation of a chat with this likely output.
    package init(
        _ output: LikelyOutput,
        images: Int,
        model: String,
        creditsPerCall: Int = 0,
        averages: RecentUsageAverages,
        prompt: Prompt = Prompt()
    ) {
        var reserved = output.reserved
        reserved.images = images
        self.reserved = reserved
        minimum = output.minimum
        self.model = model
        self.creditsPerCall = creditsPerCall
        self.averages = averages
        self.prompt = prompt
        self.output = output
    }
}
