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

extension ChatCall {
    var endUser: EndUser {
        EndUser(safetyIdentifier: chatOptions.bookkeeping.safetyIdentifier, user: chatOptions.bookkeeping.user)
    }
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
        applicableLimits(fit.caller, .chat, servedBy: fit.candidate.name, for: fit.call.endUser)
    }

    /// Returns the reservation for a call; nil if no limit needs a reservation.
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
        let means = averages.means(of: model.id, for: caller.identity)
        let needs = ChatNeeds(
            candidate: candidate,
            images: images,
            prices: gateway.limits.countsCost
                ? gateway.registry.prices(of: candidate, asked: call.model, for: caller) : [],
            creditPrices: gateway.limits.countsCredits || gateway.limits.countsCost
                ? gateway.registry.creditPrices(of: candidate, asked: call.model, for: caller) : [],
            averages: averages,
            expectedCredits: means.credits,
            promptPrice: means.promptPrice
        )
        // 1min.ai charges for the text that its search adds to the prompt.
        let found = candidate.countsCredits ? call.search(with: model)?.tokens ?? 0 : 0
        let prompt = counted + extras.tokens + found
        var dearest = needs.amounts(of: call, prompt: prompt, isLeast: false)
        let advice = candidate.amounts(ofAdvisors: call.advisors, prompt, means.likelyTokens, for: caller)
        dearest = dearest + advice
        let usual = needs.amounts(of: call, prompt: counted + found, isLeast: true) + advice
        if let transcriber = extras.transcriber, transcriber.countsCredits {
            let one = averages.means(of: transcriber.model.id, for: caller.identity).credits
            let credits = AttachmentPlan.audioParts(in: call) * one
            dearest.credits += credits
            dearest.usd += transcriber.price?.cost(ofCredits: credits).nanodollars ?? 0
        }
        let output = LikelyOutput(
            call,
            candidate,
            likely: means.likelyTokens,
            OutputNeeds(usual: usual, dearest: dearest, perMillion: needs.perMillion(of: call, prompt: prompt))
        )
        let tokens = extras.roughTokens == nil ? counted + extras.tokens : nil
        let (one, promptImages) = needs.ofOneCall(of: call, prompt: prompt, response: output.likely)
        self.init(
            output,
            images: images,
            model: model.id,
            creditsPerCall: one,
            averages: averages,
            prompt: Prompt(images: promptImages, tokens: tokens, outputTokens: output.asked ?? output.likely)
        )
    }
}

extension LikelyOutput {
    /// Creates the output of a call whose choices are likely to have `likely` tokens each.
    fileprivate init(_ call: borrowing ChatCall, _ candidate: Candidate, likely: Int, _ needs: OutputNeeds) {
        let (model, provider, choices) = (candidate.model, candidate.provider, call.choices)
        let added = provider.reasoning(of: call, for: model)
        let asked = (call.maxTokens ?? model.maxOutputTokens).map { $0 + (added.isOnTop ? added.tokens : 0) }
        self.init(
            likely: choices * min(likely, asked ?? .max),
            asked: asked.map { choices * $0 },
            assuming: choices * Self.unbounded,
            demanding: choices * added.tokens,
            isSeen: call.isStreamed && !provider.hidesReasoning(of: call, for: model),
            needs
        )
    }
}

extension Candidate {
    /// Returns the amounts that advisors can use. An advisor that the caller may not use does not reach the vendor.
    /// - Parameter prompt: the tokens of the prompt, which an advisor reads each time.
    fileprivate func amounts(
        ofAdvisors advisors: [ChatOptions.Advisor],
        _ prompt: Int,
        _ completion: Int,
        for caller: Caller
    ) -> Amounts {
        let usage = Usage(promptTokens: prompt, completionTokens: completion)
        return advisors.reduce(Amounts()) { sum, advisor in
            guard let models = server.models, let id = models.id(of: advisor.model, for: caller) else { return sum }
            let cost = models.served(as: id)?.model.price?.ofPart.highestCost(usage).nanodollars ?? 0
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
    let averages: RecentUsageAverages
    /// The credits of an upstream call if the model has no list price.
    let expectedCredits: Int
    /// The usual price of a prompt, in nanodollars for a million tokens; nil if it is not known.
    let promptPrice: Int?

    /// Returns what all upstream calls use together. Each choice may be an upstream call of its own.
    private func paid(_ call: borrowing ChatCall, prompt: Int, response: Int) -> Usage {
        var paid = Usage(promptTokens: prompt, completionTokens: response)
        paid.promptTokens *= call.arePromptsSeparate ? call.choices / max(1, call.messages.count) : call.choices
        if !prices.isEmpty { paid.addDetails(of: call, with: candidate.model) }
        return paid
    }

    private func credits(_ call: borrowing ChatCall, _ paid: Usage, isLeast: Bool = false) -> Int {
        // The first credits of a model without a price are no mean, so they belong to the minimum.
        let expected = isLeast ? min(expectedCredits, RecentUsageAverages.firstCredits) : expectedCredits
        let means = isLeast ? nil : averages
        let needs = CreditNeeds(call, paid, images: images, model: candidate.model.id, expecting: expected, means)
        return creditPrices.reduce(0) { max($0, needs.all(at: $1)) }
    }

    private func usd(ofCredits credits: Int) -> Int {
        prices.lazy.filter(\.usesCredits).map { $0.cost(ofCredits: credits).nanodollars }.max() ?? 0
    }

    /// Returns the amounts of the prompt: the dearest or, if `isLeast`, the usual ones.
    func amounts(of call: borrowing ChatCall, prompt: Int, isLeast: Bool) -> Amounts {
        let (paid, choices) = (paid(call, prompt: prompt, response: 0), call.choices)
        var tiers = Price.Tiers(requested: call.tier)
        // A request that names no tier gets the plain one as a rule.
        if isLeast, tiers == .any { tiers = .one(nil) }
        var amounts = Amounts(tokens: prompt)
        amounts.usd = prices.lazy.map { $0.highestCost(paid, calls: choices, tiers: tiers).nanodollars }.max() ?? 0
        if isLeast, let promptPrice {
            let usual = OutputNeed(usualPrompt: 0, dearestPrompt: 0, perMillion: promptPrice)
            amounts.usd = min(amounts.usd, usual.units(ofOutput: paid.promptTokens))
        }
        amounts.credits = creditPrices.isEmpty ? 0 : credits(call, paid, isLeast: isLeast)
        amounts.usd = max(amounts.usd, usd(ofCredits: amounts.credits))
        return amounts
    }

    /// Returns the amounts of a million output tokens.
    func perMillion(of call: borrowing ChatCall, prompt: Int) -> Amounts {
        let million = 1_000_000
        let (without, with) = (paid(call, prompt: prompt, response: 0), paid(call, prompt: prompt, response: million))
        let tiers = Price.Tiers(requested: call.tier)
        var amounts = Amounts(tokens: million)
        amounts.usd =
            prices.lazy.map {
                $0.highestCost(with, tiers: tiers).nanodollars - $0.highestCost(without, tiers: tiers).nanodollars
            }
            .max() ?? 0
        guard !creditPrices.isEmpty else { return amounts }
        amounts.credits = max(0, credits(call, with) - credits(call, without))
        amounts.usd = max(amounts.usd, usd(ofCredits: amounts.credits))
        return amounts
    }

    /// Returns the credits of one upstream call, and the images in its prompt.
    func ofOneCall(of call: borrowing ChatCall, prompt: Int, response: Int) -> (Int, ChatCredits.Images) {
        guard !creditPrices.isEmpty else { return (0, .none) }
        let paid = paid(call, prompt: prompt, response: response)
        let model = candidate.model.id
        let needs = CreditNeeds(call, paid, images: images, model: model, expecting: expectedCredits, averages)
        return (candidate.server.credits.map(needs.one) ?? 0, needs.promptImages)
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
        if let output = usageReservation.output {
            return charges(of: output, images: usageReservation.reserved.images)
        }
        return charges(of: usageReservation.reserved, atLeast: usageReservation.minimum)
    }
}
