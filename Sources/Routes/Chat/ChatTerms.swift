import Calls
import Limits
import Shared
import Upstream

/// Facts about a prompt that are not part of its chat call, but that the reservation needs.
struct PromptExtras {
    /// The candidate that transcribes audio in the prompt; nil if the relay transcribes no audio.
    var transcriber: Candidate?
    /// The estimated tokens of text that is added to the prompt later.
    var tokens = 0
    /// Whether the tokens of the prompt are estimated because counting them would take too long.
    var isEstimated = false
    /// An estimate of the prompt tokens that is already known; nil if they must still be counted or estimated.
    var roughTokens: Int?
}

extension Exchange: ChatRequester {
    var services: any ChatServices { gateway }

    func sessionHash(of caller: Caller) -> UInt64? { request.sessionHash(of: caller) }

    func usageReservation(for fit: ChatFit) -> UsageReservation? {
        needsReservation(fit) ? usageReservation(for: fit, under: applicableLimits(of: fit)) : nil
    }

    private func needsReservation(_ fit: ChatFit) -> Bool {
        gateway.limits.countsLate || fit.candidate.imagesOfChat > 0
    }

    func applicableLimits(of fit: ChatFit) -> ApplicableLimits {
        applicableLimits(fit.caller, .chat, servedBy: fit.candidate.name)
    }

    /// Returns the reservation for a call; nil if no limit needs a reservation.
    ///
    /// - Parameter tokens: the prompt tokens to reserve in addition to the tokens of the call.
    func usageReservation(
        for fit: ChatFit,
        under applicableLimits: ApplicableLimits,
        expecting tokens: Int = 0
    ) -> UsageReservation? {
        guard needsReservation(fit) else { return nil }
        var extras = PromptExtras(transcriber: fit.transcriber, tokens: tokens)
        // One copy, because each use of the property would be a copy.
        let call = fit.call
        func reservation(_ extras: PromptExtras) -> UsageReservation? {
            UsageReservation(call, fit.candidate, fit.caller, under: applicableLimits, gateway, extras)
        }
        guard fit.count.isExpected else { return reservation(extras) }
        extras.roughTokens = fit.count.roughTokens(of: call)
        let usageReservation = reservation(extras)
        // An estimate must not decide that the request can never be admitted.
        guard let usageReservation, applicableLimits.mayBeExceeded(by: usageReservation.minimum), call.isCountedAtOnce
        else { return usageReservation }
        extras.roughTokens = nil
        return reservation(extras)
    }
}

extension UsageReservation {
    /// Creates the reservation for a chat call; nil if no limit needs a reservation.
    convenience init?(
        _ call: borrowing ChatCall,
        _ candidate: Candidate,
        _ caller: Caller,
        under applicableLimits: ApplicableLimits,
        _ gateway: Gateway,
        _ extras: PromptExtras
    ) {
        let images = applicableLimits.isPlain ? 0 : candidate.imagesOfChat
        guard gateway.limits.countsLate || images > 0 else { return nil }
        let averages = gateway.limiter.averages
        let model = candidate.model
        guard !applicableLimits.isPlain else {
            self.init(reserving: Amounts(images: images), model: model.id, creditsPerCall: 0, averages: averages)
            return
        }
        let counted = extras.roughTokens ?? call.promptTokens(by: extras.isEstimated ? .estimating : .of(model))
        let expected = averages.expected(of: model.id, for: caller.identity)
        let needs = ChatNeeds(
            candidate: candidate,
            images: images,
            prices: gateway.limits.countsCost
                ? gateway.registry.prices(of: candidate, asked: call.model, for: caller) : [],
            creditPrices: gateway.limits.countsCredits || gateway.limits.countsCost
                ? gateway.registry.creditPrices(of: candidate, asked: call.model, for: caller) : []
        )
        let response = call.maxTokens ?? min(expected.completionTokens, model.maxOutputTokens ?? .max)
        // 1min.ai charges for the text that its search adds to the prompt.
        let found = candidate.countsCredits ? call.search(with: model)?.tokens ?? 0 : 0
        let prompt = counted + extras.tokens + found
        var (reserved, credits) = needs.amounts(
            of: call,
            prompt: prompt,
            response: response,
            expecting: expected.credits,
            averages
        )
        // The first credits of a model without a price are no mean, so they belong to the minimum.
        let (minimum, _) = needs.amounts(
            of: call,
            prompt: counted + found,
            response: call.maxTokens ?? 0,
            expecting: min(expected.credits, RecentUsageAverages.firstCredits),
            nil
        )
        if let transcriber = extras.transcriber, transcriber.countsCredits {
            let one = averages.expected(of: transcriber.model.id, for: caller.identity).credits
            reserved.credits += AttachmentPlan.audioParts(in: call) * one
        }
        let tokens = extras.roughTokens == nil ? counted + extras.tokens : nil
        let advice = candidate.amounts(ofAdvisors: call.advisors, prompt, expected.completionTokens, for: caller)
        self.init(
            reserving: reserved + advice,
            atLeast: minimum + advice,
            model: model.id,
            creditsPerCall: credits?.one ?? 0,
            averages: averages,
            prompt: Prompt(images: credits?.images ?? .none, tokens: tokens, outputTokens: call.choices * response)
        )
    }
}

extension Candidate {
    /// Returns the amounts that advisors can use. An advisor that the caller may not use does not reach the vendor.
    ///
    /// - Parameters:
    ///   - prompt: the tokens of the prompt, which an advisor reads each time.
    ///   - completion: the likely tokens of an advisor's response.
    fileprivate func amounts(
        ofAdvisors advisors: [ChatOptions.Advisor],
        _ prompt: Int,
        _ completion: Int,
        for caller: Caller
    ) -> Amounts {
        let usage = Usage(promptTokens: prompt, completionTokens: completion)
        return advisors.reduce(Amounts()) { sum, advisor in
            guard let models = server.models, let id = models.id(of: advisor.model, for: caller) else { return sum }
            let cost = models.served(as: id)?.model.price?.highestCost(usage).usdParts ?? 0
            return sum + Amounts(tokens: advisor.uses * usage.totalTokens, usd: advisor.uses * cost)
        }
    }
}

/// The data of a chat call from which its reservation is computed.
private struct ChatNeeds {
    let candidate: Candidate
    let images: Int
    let prices: [Price]
    let creditPrices: [CreditPrices]

    /// Returns the amounts that the call can use, such as tokens and dollars.
    ///
    /// The second result contains the credits of one upstream call and the images in the prompt. It is nil if no
    /// credits are counted.
    /// - Parameters:
    ///   - response: the expected output tokens of each choice.
    ///   - expected: the credits of an upstream call if the model has no list price.
    ///   - averages: the averages of earlier responses; nil for the least amounts.
    func amounts(
        of call: borrowing ChatCall,
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
        if !prices.isEmpty { paid.addDetails(of: call, with: candidate.model) }
        let tiers = Price.Tiers(requested: call.tier)
        let costs = prices.lazy.map { [paid] in
            averages == nil ? $0.lowestCost(paid, tiers: tiers).usdParts : $0.highestCost(paid, tiers: tiers).usdParts
        }
        // A bound of the caller's own is no guess, so it counts whole.
        let isCheapest = averages == nil && call.maxTokens == nil
        amounts.usd = (isCheapest ? costs.min() : costs.max()) ?? 0
        guard !creditPrices.isEmpty else { return (amounts, nil) }
        let model = candidate.model.id
        let needs = CreditNeeds(call, paid, images: images, model: model, expecting: expected, averages)
        amounts.credits = creditPrices.reduce(0) { max($0, needs.all(at: $1)) }
        let ofCredits = prices.lazy.filter(\.usesCredits).map { [credits = amounts.credits] in
            $0.cost(ofCredits: credits)
        }
        amounts.usd = max(amounts.usd, ofCredits.max()?.usdParts ?? 0)
        return (amounts, (candidate.server.credits.map(needs.one) ?? 0, needs.promptImages))
    }
}

extension Usage {
    /// Adds what the call may use beside text: audio, and tools that the vendor runs.
    fileprivate mutating func addDetails(of call: borrowing ChatCall, with model: Model) {
        if call.needs.contains(.audioInput) { audioPromptTokens = promptTokens }
        if call.needs.contains(.audioOutput) { audioCompletionTokens = completionTokens }
        guard call.sendsSearch || call.search(with: model) != nil else { return }
        toolUses[.webSearch] = call.maxSearches ?? 1
    }
}

extension ApplicableLimits {
    /// Returns the charges for a request with this reserved usage; if it is nil, only the request itself is charged.
    func charges(of usageReservation: UsageReservation?) -> [LimitCharge] {
        guard let usageReservation else { return charges(of: Amounts()) }
        return charges(of: usageReservation.reserved, atLeast: usageReservation.minimum)
    }
}
