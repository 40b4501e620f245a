/// The units of one limit that a response needs: a fixed part for its prompt, and a price for its output.
package struct OutputNeed: Sendable, Equatable {
    /// The units of the prompt at its usual price.
    package var usualPrompt: Int
    /// The units of the prompt at its dearest price, with all that the request may use beside text.
    package var dearestPrompt: Int
    /// The units of a million output tokens.
    package var perMillion: Int

    private static let million = 1_000_000

    package init(usualPrompt: Int, dearestPrompt: Int, perMillion: Int) {
        self.dearestPrompt = min(max(0, dearestPrompt), Quota.countBound)
        self.usualPrompt = min(max(0, usualPrompt), self.dearestPrompt)
        self.perMillion = min(max(0, perMillion), Quota.countBound)
    }

    /// Returns the units of so many output tokens, rounded up.
    package func units(ofOutput tokens: Int) -> Int {
        let (high, low) = perMillion.multipliedFullWidth(by: min(max(0, tokens), Quota.countBound))
        guard high < Self.million else { return Quota.countBound }
        let (units, rest) = Self.million.dividingFullWidth((high, low))
        return min(units + (rest > 0 ? 1 : 0), Quota.countBound)
    }

    /// Returns the output tokens that so many units pay.
    package func output(paidBy units: Int) -> Int {
        guard perMillion > 0 else { return Quota.countBound }
        let (high, low) = Self.million.multipliedFullWidth(by: min(max(0, units), Quota.countBound))
        guard high < perMillion else { return Quota.countBound }
        return min(perMillion.dividingFullWidth((high, low)).quotient, Quota.countBound)
    }

    /// Returns the output tokens that a reservation pays beside the prompt.
    ///
    /// A reservation that is too small for the dearest prompt and the likely output pays the likely output.
    package func output(reserving units: Int, likely: Int) -> Int {
        max(output(paidBy: units - dearestPrompt), min(likely, output(paidBy: units - usualPrompt)))
    }
}

/// The units of each kind that a response needs.
package struct OutputNeeds: Sendable, Equatable {
    let tokens: OutputNeed
    let usd: OutputNeed
    let credits: OutputNeed

    /// Creates the needs from the amounts of the prompt, the usual and the dearest ones, and of a million output tokens.
    package init(usual: Amounts, dearest: Amounts, perMillion: Amounts) {
        func need(_ unit: Quota.Unit) -> OutputNeed {
            OutputNeed(usualPrompt: usual[unit], dearestPrompt: dearest[unit], perMillion: perMillion[unit])
        }
        (tokens, usd, credits) = (need(.tokens), need(.usd), need(.credits))
    }

    /// The units of a kind; nil for units whose use is known before the call.
    subscript(unit: Quota.Unit) -> OutputNeed? {
        switch unit {
        case .tokens: tokens
        case .usd: usd
        case .credits: credits
        case .requests, .images, .concurrent: nil
        }
    }

    func amounts(_ units: (OutputNeed) -> Int) -> Amounts {
        Amounts(tokens: units(tokens), usd: units(usd), credits: units(credits))
    }
}
