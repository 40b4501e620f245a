import Shared
import Upstream

/// What a request may use of units that are known late, and what it has used so far, call by call. However it ends, its
/// hold is settled by that.
///
/// `@unchecked`: used on its request's loop only.
final class Meter: @unchecked Sendable {
    /// The most that it is held to before it runs.
    let reserved: Amounts
    private let model: String
    private let price: Price?
    /// Of a call whose vendor did not say.
    private let creditsPerCall: Int
    private let means: UsageMeans
    /// The prompt counts once, however many choices are made of it.
    private var usage = Usage(promptTokens: 0, completionTokens: 0)
    private var credits = 0
    /// Calls that were given up before anything came.
    private var givenUp = 0
    private var promptGivenUp = 0
    private var isRefused = false

    init(
        reserving reserved: Amounts,
        model: String,
        price: Price?,
        creditsPerCall: Int,
        means: UsageMeans
    ) {
        self.reserved = reserved
        self.model = model
        self.price = price
        self.creditsPerCall = creditsPerCall
        self.means = means
    }

    /// A call was answered in full, as far as the caller wanted it. `credits`: as the vendor reported them.
    func answered(_ usage: Usage, credits: Int?) {
        add(usage, credits)
        means.note(model, completionTokens: usage.completionTokens, credits: credits)
    }

    /// A call ended in the midst; `usage`: its prompt, and what was delivered of its answer. A vendor that refused it
    /// has taken nothing for it, nor for other choices that were given up for that.
    func failed(_ error: UpstreamError, after usage: Usage) {
        if usage.completionTokens == 0, !error.mayBeBilled {
            isRefused = true
        } else if usage.completionTokens == 0, error.kind == .cancelled {
            givenUp += 1
            promptGivenUp = usage.promptTokens
        } else {
            add(usage, nil)
        }
    }

    /// Another model did something for the request; `credits` as its vendor reported them.
    func helped(by model: String, credits: Int?) {
        self.credits += credits ?? means.expected(of: model).credits
        means.note(model, completionTokens: 0, credits: credits)
    }

    private func add(_ usage: Usage, _ credits: Int?) {
        self.usage.promptTokens = max(self.usage.promptTokens, usage.promptTokens)
        self.usage.completionTokens += usage.completionTokens
        self.credits += credits ?? creditsPerCall
    }

    var used: Amounts {
        var (usage, credits) = (usage, credits)
        if givenUp > 0, !isRefused {
            usage.promptTokens = max(usage.promptTokens, promptGivenUp)
            credits += givenUp * creditsPerCall
        }
        return Amounts(tokens: usage.totalTokens, usd: price?.cost(usage).usdParts ?? 0, credits: credits)
    }
}
