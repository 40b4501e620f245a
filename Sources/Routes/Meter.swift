import Shared
import Upstream

/// What a request may use of units that are known late, and what it has used so far, call by call. However it ends, its
/// hold is settled by that.
struct Meter {
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
    mutating func answered(_ usage: Usage, credits: Int?) {
        add(usage, credits)
        means.note(model, completionTokens: usage.completionTokens, credits: credits)
    }

    /// A call ended in the midst; `usage`: its prompt, and what was delivered of its answer. A vendor that refused it
    /// has taken nothing for it, nor for other choices that were given up for that.
    mutating func failed(_ error: UpstreamError, after usage: Usage) {
        if usage.completionTokens == 0, !error.mayBeBilled {
            isRefused = true
        } else if usage.completionTokens == 0, error.kind == .cancelled {
            givenUp += 1
            promptGivenUp = usage.promptTokens
        } else {
            add(usage, nil)
        }
    }

    private mutating func add(_ usage: Usage, _ credits: Int?) {
        self.usage.promptTokens = max(self.usage.promptTokens, usage.promptTokens)
        self.usage.completionTokens += usage.completionTokens
        self.credits += credits ?? creditsPerCall
    }

    var used: Amounts {
        var meter = self
        if !isRefused {
            for _ in 0..<givenUp { meter.add(Usage(promptTokens: promptGivenUp, completionTokens: 0), nil) }
        }
        let usd = price?.cost(meter.usage).usdParts ?? 0
        return Amounts(tokens: meter.usage.totalTokens, usd: usd, credits: meter.credits)
    }
}
