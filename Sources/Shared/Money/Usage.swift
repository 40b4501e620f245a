/// The numbers of tokens and of other priced units that a call used, as in the `usage` object of a response.
package struct Usage: Sendable, Equatable {
    // It has no reference, so that copies are cheap.
    package var promptTokens: Int
    package var completionTokens: Int
    /// The number of prompt tokens that the vendor read from its prompt cache. `promptTokens` includes them.
    package var cachedTokens = 0
    /// The number of prompt tokens that the vendor wrote into its prompt cache. `promptTokens` includes them.
    @SmallCount package var cacheWriteTokens = 0
    /// The number of completion tokens that the model used for reasoning. `completionTokens` includes them.
    @SmallCount package var reasoningTokens = 0
    /// The part of `cacheWriteTokens` that the vendor keeps for an hour.
    @SmallCount package var longCacheWriteTokens = 0
    /// The number of prompt tokens that are audio. `promptTokens` includes them.
    @SmallCount package var audioPromptTokens = 0
    /// The number of audio tokens that the vendor read from its prompt cache. `cachedTokens` includes them.
    @SmallCount package var cachedAudioTokens = 0
    /// The number of completion tokens that are audio. `completionTokens` includes them.
    @SmallCount package var audioCompletionTokens = 0
    /// The numbers of tokens for which the vendor charges nothing, as its own instructions. The other numbers include them.
    @SmallCount package var unbilledPromptTokens = 0
    @SmallCount package var unbilledCompletionTokens = 0
    /// The uses of hosted tools, which vendors run themselves.
    package var toolUses = ToolUses()
    /// The number of pieces, such as images, of which the response or the request consists; 0 if they are not counted.
    @SmallCount package var pieces = 0
    package var pieceUnit = PieceUnit.image
    /// The service tier that the response named; nil if it named none, or none that can have a price of its own.
    package var serviceTier: ServiceTier?
    /// The reported cost; -1 if none was reported.
    private var costPicodollars = -1
    /// Whether the vendor reported an impossible number of tokens. Such a number is 0 in this value.
    package var hasImpossibleFigure = false
    /// Whether the relay counted or estimated some of the tokens itself, because the vendor did not report them.
    package var isEstimated = false
    /// Whether the token numbers that the relay counted itself are exact; false if the vendor reported all numbers.
    package var isExact = false

    package init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    /// Creates a usage from reported numbers; nil without prompt and completion tokens. Of these two, one that is missing
    /// is what the total leaves for it, 0 without a total.
    package init?(promptTokens: Int?, completionTokens: Int?, totalTokens: Int?) {
        guard promptTokens != nil || completionTokens != nil else { return nil }
        let rest = max(0, (totalTokens ?? 0) - (promptTokens ?? completionTokens ?? 0))
        self.init(promptTokens: promptTokens ?? rest, completionTokens: completionTokens ?? rest)
    }

    /// Creates a usage that the relay estimated, because the vendor reported none.
    package init(estimating promptTokens: Int, completionTokens: Int) {
        self.init(promptTokens: promptTokens, completionTokens: completionTokens)
        isEstimated = totalTokens > 0
    }

    /// Raises the output of a call that broke off to the tokens that were delivered.
    package mutating func cover(delivered tokens: Int) {
        guard tokens > completionTokens else { return }
        completionTokens = tokens
        isEstimated = true
    }

    package init(pieces: Int, _ unit: PieceUnit) {
        self.init(promptTokens: 0, completionTokens: 0)
        self.pieces = pieces
        pieceUnit = unit
    }

    /// Adds the pieces of `other`, unless this usage has its own.
    package mutating func addPieces(_ other: Usage) {
        if pieces == 0 { (pieces, pieceUnit) = (other.pieces, other.pieceUnit) }
    }

    /// The cost of the call that the vendor reported; nil if it reported none.
    package var reportedCost: Cost? {
        get { costPicodollars < 0 ? nil : Cost(picodollars: costPicodollars) }
        set { costPicodollars = newValue?.picodollars ?? -1 }
    }

    package var hasDetails: Bool { cachedTokens > 0 || cacheWriteTokens > 0 || serviceTier != nil || !toolUses.isEmpty }

    /// Returns whether usage records of this usage and of `other` are the same.
    package func isRecorded(like other: Usage) -> Bool {
        promptTokens == other.promptTokens && completionTokens == other.completionTokens
            && isEstimated == other.isEstimated && isExact == other.isExact
            && (!hasDetails && !other.hasDetails
                || cachedTokens == other.cachedTokens && cacheWriteTokens == other.cacheWriteTokens
                    && longCacheWriteTokens == other.longCacheWriteTokens && serviceTier == other.serviceTier
                    && toolUses == other.toolUses)
    }

    package var totalTokens: Int { promptTokens + completionTokens }

    package static let nothing = Usage(promptTokens: 0, completionTokens: 0)

    /// Whether each token number was reported by the vendor or counted exactly by the relay.
    package var isExactIfOwn: Bool { !isEstimated || isExact }

    package func hasLongerPrompt(than other: Usage) -> Bool {
        (promptTokens, cachedTokens, cacheWriteTokens)
            > (other.promptTokens, other.cachedTokens, other.cacheWriteTokens)
    }

    /// Adds the usage of another call for the same prompt. The tokens of the prompt count once.
    package mutating func join(_ other: Usage) {
        let prompt = other.hasLongerPrompt(than: self) ? other : self
        self = self + other
        promptTokens = prompt.promptTokens
        cachedTokens = prompt.cachedTokens
        cacheWriteTokens = prompt.cacheWriteTokens
        longCacheWriteTokens = prompt.longCacheWriteTokens
        audioPromptTokens = prompt.audioPromptTokens
        cachedAudioTokens = prompt.cachedAudioTokens
        unbilledPromptTokens = prompt.unbilledPromptTokens
    }

    package static func + (one: Usage, other: Usage) -> Usage {
        // A sum with nothing keeps even the parts that sums lack, such as a reported cost.
        if other == .nothing { return one }
        if one == .nothing { return other }
        var sum = Usage(
            promptTokens: one.promptTokens + other.promptTokens,
            completionTokens: one.completionTokens + other.completionTokens
        )
        sum.cachedTokens = one.cachedTokens + other.cachedTokens
        sum.cacheWriteTokens = one.cacheWriteTokens + other.cacheWriteTokens
        sum.reasoningTokens = one.reasoningTokens + other.reasoningTokens
        sum.longCacheWriteTokens = one.longCacheWriteTokens + other.longCacheWriteTokens
        sum.audioPromptTokens = one.audioPromptTokens + other.audioPromptTokens
        sum.cachedAudioTokens = one.cachedAudioTokens + other.cachedAudioTokens
        sum.audioCompletionTokens = one.audioCompletionTokens + other.audioCompletionTokens
        sum.unbilledPromptTokens = one.unbilledPromptTokens + other.unbilledPromptTokens
        sum.unbilledCompletionTokens = one.unbilledCompletionTokens + other.unbilledCompletionTokens
        sum.toolUses = one.toolUses + other.toolUses
        if other.pieces > 0 { (sum.pieces, sum.pieceUnit) = (one.pieces + other.pieces, other.pieceUnit) }
        sum.serviceTier = other.serviceTier ?? one.serviceTier
        if let cost = one.reportedCost, let more = other.reportedCost { sum.reportedCost = cost + more }
        sum.hasImpossibleFigure = one.hasImpossibleFigure || other.hasImpossibleFigure
        sum.isEstimated = one.isEstimated || other.isEstimated
        sum.isExact = sum.isEstimated && one.isExactIfOwn && other.isExactIfOwn
        return sum
    }
}

/// A count that takes four bytes. Numbers outside 0 to 2^32 - 1 become the nearest of these.
@propertyWrapper package struct SmallCount: Sendable, Equatable {
    private var stored: UInt32

    package init(wrappedValue: Int) { stored = UInt32(clamping: wrappedValue) }

    package var wrappedValue: Int {
        get { Int(stored) }
        set { stored = UInt32(clamping: newValue) }
    }
}

/// A unit of calls that are not priced by tokens.
package enum PieceUnit: UInt8, Sendable {
    case image
    /// A second of a recording, which is transcribed.
    case second
    /// A character of a text, which is spoken.
    case character
    /// A search in documents, which has the price of an image.
    case search

    var priced: PieceUnit { self == .search ? .image : self }
}

/// The price of the pieces of a call.
struct PiecePrice: Sendable, Equatable {
    let unit: PieceUnit
    /// The price of `size` pieces.
    let picodollars: Int

    /// The number of pieces that the price is for.
    var size: Int {
        switch unit {
        case .image, .search: 1
        case .second: 60
        case .character: 1_000
        }
    }

    /// The words of the price, such as `each minute 0.006`.
    var text: String {
        let words =
            switch unit {
            case .image, .search: "each"
            case .second: "each minute"
            case .character: "each 1000 characters"
            }
        return "\(words) \(Cost(picodollars: picodollars).exactText)"
    }
}
