import Engine
import Limits

/// The price of tokens at a provider. Whole numbers only, so that sums are exact.
package struct Price: Sendable, Equatable {
    /// 10^-9 dollars for a thousand tokens: 10^-12 for one.
    package let promptParts: Int
    package let completionParts: Int

    private static let mostDollars = 1_000

    package init(promptParts: Int, completionParts: Int) {
        self.promptParts = promptParts
        self.completionParts = completionParts
    }

    /// Dollars for a thousand tokens, `0.002`, or of prompt and completion, `0.001/0.004`; nil: not a price.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Self.parts($0.trimmed) }
        guard parts.count <= 2, let first = parts.first, let last = parts.last, let first, let last else { return nil }
        self.init(promptParts: first, completionParts: last)
    }

    /// Digits with at most nine decimals, as 10^-9.
    private static func parts(_ text: Substring) -> Int? {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = numbers.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        guard isPlain, (1...2).contains(numbers.count) else { return nil }
        let decimals = numbers.count == 2 ? numbers[1] : ""
        guard decimals.utf8.count <= 9 else { return nil }
        let padding = String(repeating: "0", count: 9 - decimals.utf8.count)
        guard let parts = Int(numbers[0] + decimals + padding), parts <= mostDollars * Quota.usdParts else {
            return nil
        }
        return parts
    }

    package var isNothing: Bool { promptParts == 0 && completionParts == 0 }

    package func cost(_ usage: Usage) -> Cost {
        let prompt = usage.promptTokens.multipliedReportingOverflow(by: promptParts)
        let completion = usage.completionTokens.multipliedReportingOverflow(by: completionParts)
        let sum = prompt.partialValue.addingReportingOverflow(completion.partialValue)
        let isTooLarge = prompt.overflow || completion.overflow || sum.overflow
        return Cost(millionths: isTooLarge ? Cost.mostMillionths : min(sum.partialValue, Cost.mostMillionths))
    }
}

/// An amount of money.
package struct Cost: Sendable, Equatable, Comparable {
    /// Of a millionth of a dollar: 10^-12 dollars.
    package let millionths: Int

    /// Nine million dollars; what is above counts as that.
    static let mostMillionths = 9_000_000_000_000_000_000

    /// As limits of `usd` count it: 10^-9 dollars, rounded up.
    package var usdParts: Int { millionths / 1_000 + (millionths % 1_000 == 0 ? 0 : 1) }

    package static func < (one: Cost, other: Cost) -> Bool { one.millionths < other.millionths }

    /// Dollars with at most ten decimals, a half rounded to even: `0.0001`, `12`.
    package var text: String {
        let (whole, rest) = (millionths / 100, millionths % 100)
        let isUp = rest > 50 || rest == 50 && !whole.isMultiple(of: 2)
        let units = whole + (isUp ? 1 : 0)
        let scale = 10_000_000_000
        var decimals = String(String(scale + units % scale).dropFirst())
        while decimals.last == "0" { decimals.removeLast() }
        return decimals.isEmpty ? "\(units / scale)" : "\(units / scale).\(decimals)"
    }
}
