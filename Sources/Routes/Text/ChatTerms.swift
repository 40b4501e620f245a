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
        let expected = cover.isPlain ? (completionTokens: 0, credits: 0) : means.expected(of: model.id)
        var creditsPerCall = 0
        var pictures = ChatCredits.Pictures.none
        var reserved = Amounts(images: images)
        var promptTokens: Int?
        if !cover.isPlain {
            let answer = call.maxTokens ?? min(expected.completionTokens, model.maxOutputTokens ?? .max)
            let prompt = call.promptTokens(by: extras.isEstimated ? .estimating : .of(model)) + extras.tokens
            promptTokens = prompt
            let usage = Usage(
                promptTokens: prompt,
                completionTokens: call.choices * answer
            )
            // Each choice may be a call of its own.
            var paid = usage
            paid.promptTokens *= call.arePromptsSeparate ? call.choices / max(1, call.messages.count) : call.choices
            let costs = gateway.registry.prices(of: candidate, asked: call.model, for: caller).map { $0.cost(paid) }
            reserved.tokens = usage.totalTokens
            reserved.usd = costs.max()?.usdParts ?? 0
            let prices = gateway.registry.creditPrices(of: candidate, asked: call.model, for: caller)
            if !prices.isEmpty {
                let needs = CreditNeeds(call, paid, images: images, model: model.id, expecting: expected.credits, means)
                pictures = needs.pictures
                reserved.credits = prices.reduce(0) { max($0, needs.all(at: $1)) }
                creditsPerCall = candidate.server.credits.map(needs.one) ?? 0
            }
            if let transcriber = extras.transcriber, transcriber.takesCredits {
                reserved.credits += AttachmentPlan.sounds(in: call) * means.expected(of: transcriber.model.id).credits
            }
        }
        self.init(
            reserving: reserved,
            model: model.id,
            creditsPerCall: creditsPerCall,
            means: means
        )
        self.pictures = pictures
        self.promptTokens = promptTokens
    }
}
