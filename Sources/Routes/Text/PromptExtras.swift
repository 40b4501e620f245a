import Calls
import Limits
import Shared
import Upstream

/// The part of a prompt that is not in the call's own texts.
struct PromptExtras {
    /// The model that transcribes the audio of the prompt.
    var transcriber: Candidate?
    /// Estimated tokens of text that is added to the prompt later, such as transcripts.
    var tokens = 0
    /// Whether the prompt is estimated because counting it would take too long.
    var isEstimated = false
    /// The estimate to reserve for the prompt if the vendor is expected to report the true count; nil if the prompt is
    /// counted.
    var roughTokens: Int?
}

extension UsageReservation {
    /// Creates the reservation of a chat call; nil if no limit counts units that are only known after the call.
    init?(
        _ call: ChatCall,
        _ candidate: Candidate,
        caller: Caller,
        applicableLimits: ApplicableLimits,
        gateway: Gateway,
        extras: PromptExtras
    ) {
        let images = applicableLimits.isPlain ? 0 : candidate.imagesOfChat
        guard gateway.limits.countsLate || images > 0 else { return nil }
        let averages = gateway.limiter.averages
        let model = candidate.model
        guard !applicableLimits.isPlain else {
            self.init(reserving: Amounts(images: images), model: model.id, creditsPerCall: 0, averages: averages)
            return
        }
        let counted =
            extras.roughTokens ?? call.promptTokens(by: extras.isEstimated ? .estimating : .of(model))
        let expected = averages.expected(of: model.id)
        let needs = ChatNeeds(
            call: call,
            candidate: candidate,
            images: images,
            prices: gateway.registry.prices(of: candidate, asked: call.model, for: caller),
            creditPrices: gateway.registry.creditPrices(of: candidate, asked: call.model, for: caller)
        )
        let response = call.maxTokens ?? min(expected.completionTokens, model.maxOutputTokens ?? .max)
        // 1min.ai charges for the text that its search adds to the prompt.
        let found = candidate.countsCredits ? call.search(with: model)?.tokens ?? 0 : 0
        let prompt = counted + extras.tokens + found
        var (reserved, credits) = needs.amounts(
            prompt: prompt,
            response: response,
            expecting: expected.credits,
            averages
        )
        // The first guess for a new model is not a mean, so it belongs to the minimum.
        let (minimum, _) = needs.amounts(
            prompt: counted + found,
            response: min(response, call.maxTokens ?? RecentUsageAverages.firstCompletion),
            expecting: min(expected.credits, RecentUsageAverages.firstCredits),
            nil
        )
        if let transcriber = extras.transcriber, transcriber.countsCredits {
            reserved.credits +=
                AttachmentPlan.audioParts(in: call) * averages.expected(of: transcriber.model.id).credits
        }
        self.init(
            reserving: reserved,
            atLeast: minimum,
            model: model.id,
            creditsPerCall: credits?.one ?? 0,
            averages: averages
        )
        self.images = credits?.images ?? .none
        if extras.roughTokens == nil { promptTokens = counted + extras.tokens }
    }
}

/// The parts of a chat call that its reservation depends on.
private struct ChatNeeds {
    let call: ChatCall
    let candidate: Candidate
    let images: Int
    let prices: [Price]
    let creditPrices: [CreditPrices]

    /// Returns the units that the call may use. Also returns the credits of each upstream call, with the images that
    /// they pay for; nil if no credits are counted.
    ///
    /// - Parameters:
    ///   - response: the tokens of each choice.
    ///   - expected: the credits of a call whose price the vendor's list does not have.
    ///   - means: the means of earlier responses; nil if they are not to be used.
    func amounts(
        prompt: Int,
        response: Int,
        expecting expected: Int,
        _ averages: RecentUsageAverages?
    ) -> (Amounts, credits: (one: Int, images: ChatCredits.Images)?) {
        let usage = Usage(promptTokens: prompt, completionTokens: call.choices * response)
        // Each choice may be an upstream call of its own.
        var paid = usage
        paid.promptTokens *= call.arePromptsSeparate ? call.choices / max(1, call.messages.count) : call.choices
        var amounts = Amounts(images: images)
        amounts.tokens = usage.totalTokens
        amounts.usd = prices.map { $0.cost(paid).usdParts }.max() ?? 0
        guard !creditPrices.isEmpty else { return (amounts, nil) }
        let model = candidate.model.id
        let needs = CreditNeeds(call, paid, images: images, model: model, expecting: expected, averages)
        amounts.credits = creditPrices.reduce(0) { max($0, needs.all(at: $1)) }
        return (amounts, (candidate.server.credits.map(needs.one) ?? 0, needs.promptImages))
    }
}

extension ApplicableLimits {
    /// Returns the charges of a request with this reservation. Without a reservation, the request counts only as one
    /// request.
    func charges(of usageReservation: UsageReservation?) -> [LimitCharge] {
        guard let usageReservation else { return charges(of: Amounts()) }
        return charges(of: usageReservation.reserved, atLeast: usageReservation.minimum)
    }
}
