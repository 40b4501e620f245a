import Calls
import Limits
import Shared
import Upstream

/// The part of a prompt that is not in the call's own texts.
struct PromptExtras {
    /// The model that is asked for the words of its sounds.
    var transcriber: Candidate?
    /// That are not written yet.
    var tokens = 0
    /// Counting the prompt would take long.
    var isEstimated = false
    /// The estimate that is reserved for the prompt, since its vendor is expected to report the count; nil: it is counted.
    var roughTokens: Int?
}

extension CallTerms {
    /// Of a chat call; nil where no limit counts what is known late.
    init?(
        _ call: ChatCall,
        _ candidate: Candidate,
        _ caller: Caller,
        _ cover: Cover,
        _ gateway: Gateway,
        _ extras: PromptExtras
    ) {
        let images = cover.isPlain ? 0 : candidate.imagesOfChat
        guard gateway.limits.countsLate || images > 0 else { return nil }
        let means = gateway.limiter.means
        let model = candidate.model
        guard !cover.isPlain else {
            self.init(reserving: Amounts(images: images), model: model.id, creditsPerCall: 0, means: means)
            return
        }
        let counted =
            extras.roughTokens ?? call.promptTokens(by: extras.isEstimated ? .estimating : .of(model))
        let expected = means.expected(of: model.id)
        let needs = ChatNeeds(
            call: call,
            candidate: candidate,
            images: images,
            prices: gateway.registry.prices(of: candidate, asked: call.model, for: caller),
            creditPrices: gateway.registry.creditPrices(of: candidate, asked: call.model, for: caller)
        )
        let answer = call.maxTokens ?? min(expected.completionTokens, model.maxOutputTokens ?? .max)
        // 1min.ai charges what its search adds to the prompt.
        let found = candidate.takesCredits ? call.search(with: model)?.tokens ?? 0 : 0
        let prompt = counted + extras.tokens + found
        var (reserved, credits) = needs.amounts(prompt: prompt, answer: answer, expecting: expected.credits, means)
        // The first guess for a new model is no mean.
        let (minimum, _) = needs.amounts(
            prompt: counted + found,
            answer: min(answer, call.maxTokens ?? UsageMeans.firstCompletion),
            expecting: min(expected.credits, UsageMeans.firstCredits),
            nil
        )
        if let transcriber = extras.transcriber, transcriber.takesCredits {
            reserved.credits += AttachmentPlan.sounds(in: call) * means.expected(of: transcriber.model.id).credits
        }
        self.init(
            reserving: reserved,
            atLeast: minimum,
            model: model.id,
            creditsPerCall: credits?.one ?? 0,
            means: means
        )
        pictures = credits?.pictures ?? .none
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

    /// Returns the units that the call may use, and the credits of each of its calls with the pictures that they pay; nil if
    /// no credits are counted.
    ///
    /// - Parameters:
    ///   - answer: the tokens of each choice.
    ///   - expected: the credits of a call, as far as the vendor's list does not have them.
    ///   - means: those of earlier responses; nil: they do not count.
    func amounts(
        prompt: Int,
        answer: Int,
        expecting expected: Int,
        _ means: UsageMeans?
    ) -> (Amounts, credits: (one: Int, pictures: ChatCredits.Pictures)?) {
        let usage = Usage(promptTokens: prompt, completionTokens: call.choices * answer)
        // Each choice may be a call of its own.
        var paid = usage
        paid.promptTokens *= call.arePromptsSeparate ? call.choices / max(1, call.messages.count) : call.choices
        var amounts = Amounts(images: images)
        amounts.tokens = usage.totalTokens
        amounts.usd = prices.map { $0.cost(paid).usdParts }.max() ?? 0
        guard !creditPrices.isEmpty else { return (amounts, nil) }
        let model = candidate.model.id
        let needs = CreditNeeds(call, paid, images: images, model: model, expecting: expected, means)
        amounts.credits = creditPrices.reduce(0) { max($0, needs.all(at: $1)) }
        return (amounts, (candidate.server.credits.map(needs.one) ?? 0, needs.pictures))
    }
}

extension Cover {
    /// The demands of a request under these terms; nil: it uses nothing but itself.
    func claims(of terms: CallTerms?) -> [Claim] {
        guard let terms else { return claims(of: Amounts()) }
        return claims(of: terms.reserved, atLeast: terms.minimum)
    }
}
