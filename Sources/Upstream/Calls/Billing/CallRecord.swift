package import Engine
package import Shared

extension Bill {
    /// The use of a call that has ended, and the amounts that are billed for it.
    package struct Outcome: Sendable {
        package var end: End
        /// The usage of the call itself; nothing if the vendor charges nothing.
        package var usage: Usage
        /// The tokens of the prompts that the response has in common with other calls; nil for those in `usage`.
        var promptTokens: Int?
        /// The credits that the vendor reported; nil if it reported none.
        package var credits: Int?
        var billedCredits = 0
        /// The credits from which the cost follows; nil if it does not follow from credits.
        var pricedCredits: Int?
        /// The images that the vendor made or may have made; 0 if it is not known.
        package var images = 0
        /// Whether the vendor reported an impossible number of tokens.
        var isImpossible = false
        /// Whether the call reached a vendor, and no other entry of the bill is about it.
        var isShown = true
        /// The HTTP status of the vendor's response; nil if the vendor did not respond.
        package var status: Int?
        /// The cause of the failure, with the key removed; nil if the call succeeded.
        package var error: String?

        package init(
            _ end: End,
            _ usage: Usage = .nothing,
            credits: Int? = nil,
            status: Int? = 200,
            error: String? = nil
        ) {
            self.end = end
            self.usage = usage
            self.credits = credits
            self.status = status
            self.error = error
            isImpossible = usage.hasImpossibleFigure
        }

        /// Returns the end of a call that made media and used no tokens.
        /// - Parameters:
        ///   - usage: the pieces of which the request or the response consists; nil for the images.
        ///   - images: the number of images; 0 if it is not known, or if the call made no images.
        ///   - estimate: the estimated usage of the text that the vendor got; nil if there is none.
        package static func made(
            _ usage: Usage? = nil,
            images: Int = 0,
            credits: Int?,
            from estimate: Usage? = nil
        ) -> Outcome {
            var outcome = Outcome(.made, usage ?? Usage(pieces: images, .image), credits: credits)
            outcome.images = images
            outcome.promptTokens = estimate?.promptTokens
            return outcome
        }
    }
}

/// One upstream call that has ended, as an entry of the bill.
package final class CallRecord: Sendable {
    // It is an object, because copies of a struct would count a reference for each text.
    package let endedAt: LoopTime
    package let durationMilliseconds: Int
    package let server: Billing.Server
    /// The log's name for the provider's key, such as `k1`; nil for the caller's key or no key.
    package let key: String?
    /// Whether the client's Messages body was written anew for a vendor of the same API.
    package let isRebuilt: Bool
    let outcome: Bill.Outcome

    package init(
        endedAt: LoopTime,
        durationMilliseconds: Int,
        server: Billing.Server,
        key: String?,
        isRebuilt: Bool = false,
        outcome: Bill.Outcome
    ) {
        self.endedAt = endedAt
        self.durationMilliseconds = durationMilliseconds
        self.server = server
        self.key = key
        self.isRebuilt = isRebuilt
        self.outcome = outcome
    }

    package var usage: Usage { outcome.usage }

    /// The usage for records. Media of which the vendor reports no tokens have the estimate that limits count.
    package var recordedUsage: Usage {
        guard outcome.end == .made, usage.totalTokens == 0, let tokens = outcome.promptTokens, tokens > 0 else {
            return usage
        }
        var usage = usage
        (usage.promptTokens, usage.isEstimated) = (tokens, true)
        return usage
    }

    package var credits: Int? { outcome.credits }
    package var status: Int? { outcome.status }
    package var error: String? { outcome.error }

    private var price: Price? { outcome.end == .inner ? server.price?.ofPart : server.price }

    /// The cost of the call; nil if the price is not known.
    package var cost: Cost? {
        if isFree { return .nothing }
        // The length of a recording is unknown, for example, or the price is one of tokens.
        if outcome.end == .made, outcome.pricedCredits == nil, !(price?.pricesMedia(usage) ?? false) {
            return nil
        }
        return price?.knownCost(usage, credits: outcome.pricedCredits)
    }

    /// Whether the call succeeded at a price, but its cost is not known, as that of a recording of unknown length.
    var lacksCost: Bool { [.made, .responded].contains(outcome.end) && server.price != nil && cost == nil }

    /// Whether nothing is billed for the call, as for one for a file.
    var isFree: Bool { outcome.end == .free }

    /// The same call if the vendor charges nothing for it.
    var unbilled: CallRecord {
        CallRecord(
            endedAt: endedAt,
            durationMilliseconds: durationMilliseconds,
            server: server,
            key: key,
            isRebuilt: isRebuilt,
            outcome: Bill.Outcome(.free, status: status, error: error)
        )
    }
}

extension CallRecord: BillSource {
    package var bill: String? { price?.bill(usage, credits: outcome.pricedCredits) }
}
