import Engine
import Limits

/// The price of a model's tokens at a provider, in integers.
package struct Price: Sendable, Equatable {
    /// The price of a thousand prompt tokens in 10^-9 dollars.
    package let promptParts: Int
    package let completionParts: Int
    /// The price of prompt tokens from the vendor's prompt cache, in the unit of `promptParts`.
    package let cachedParts: Int

    private static let maxDollars = 1_000

    /// Creates a price from prices in 10^-9 dollars for a thousand tokens.
    ///
    /// - Parameter cachedParts: the price of cached prompt tokens; nil for `promptParts`.
    package init(promptParts: Int, completionParts: Int, cachedParts: Int? = nil) {
        self.promptParts = promptParts
        self.completionParts = completionParts
        self.cachedParts = cachedParts ?? promptParts
    }

    /// Parses a price in dollars for a thousand tokens; nil if it is invalid.
    ///
    /// `0.002` is for all tokens, `0.001/0.004` for prompt and completion. A third price is for cached prompt tokens.
    package init?(_ text: String) {
        let texts = text.split(separator: "/", omittingEmptySubsequences: false)
        let parts = texts.compactMap { Self.parts($0.trimmed) }
        guard parts.count == texts.count, (1...3).contains(parts.count) else { return nil }
        self.init(
            promptParts: parts[0],
            completionParts: parts.count > 1 ? parts[1] : parts[0],
            cachedParts: parts.count > 2 ? parts[2] : nil
        )
    }

    /// Parses a number with at most nine decimals, in units of 10^-9; nil if it is invalid.
    private static func parts(_ text: Substring) -> Int? {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = numbers.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        guard isPlain, (1...2).contains(numbers.count) else { return nil }
        let decimals = numbers.count == 2 ? numbers[1] : ""
        guard decimals.utf8.count <= 9 else { return nil }
        let padding = String(repeating: "0", count: 9 - decimals.utf8.count)
        guard let parts = Int(numbers[0] + decimals + padding), parts <= maxDollars * Quota.usdParts else {
            return nil
        }
        return parts
    }

    /// The price as settings contain it, such as `0.001/0.004`.
    package var text: String {
        let parts = [promptParts, completionParts] + (cachedParts == promptParts ? [] : [cachedParts])
        return parts.map { Cost(millionths: $0 * 1_000).text }.joined(separator: "/")
    }

    package var isNothing: Bool { promptParts == 0 && completionParts == 0 && cachedParts == 0 }

    package func cost(_ usage: Usage) -> Cost {
        let cached = cachedParts == promptParts ? 0 : min(max(0, usage.cachedTokens), usage.promptTokens)
        let products = [
            (usage.promptTokens - cached).multipliedReportingOverflow(by: promptParts),
            usage.completionTokens.multipliedReportingOverflow(by: completionParts),
            cached.multipliedReportingOverflow(by: cachedParts),
        ]
        var sum = 0
        for product in products {
            let (next, isTooLarge) = sum.addingReportingOverflow(product.partialValue)
            if isTooLarge || product.overflow { return Cost(millionths: Cost.maxMillionths) }
            sum = next
        }
        return Cost(millionths: min(sum, Cost.maxMillionths))
    }
}

/// The cost of calls: an amount of dollars.
package struct Cost: Sendable, Equatable, Comparable {
    /// The amount in units of 10^-12 dollars (a millionth of a millionth).
    package let millionths: Int

    package static let nothing = Cost(millionths: 0)

    /// The largest possible amount in units of 10^-12 dollars: nine million dollars. A larger sum becomes this amount.
    static let maxMillionths = 9_000_000_000_000_000_000

    /// The amount in the unit in which limits count dollars, 10^-9 dollars, rounded up.
    package var usdParts: Int { millionths / 1_000 + (millionths % 1_000 == 0 ? 0 : 1) }

    package static func + (one: Cost, other: Cost) -> Cost {
        let (sum, isTooLarge) = one.millionths.addingReportingOverflow(other.millionths)
        return Cost(millionths: isTooLarge ? maxMillionths : min(sum, maxMillionths))
    }

    package static func < (one: Cost, other: Cost) -> Bool { one.millionths < other.millionths }

    /// The amount in dollars as text, rounded to at most ten decimals, such as `0.0001` or `12`.
    package var text: String {
        guard millionths > 0 else { return "0" }
        let (whole, rest) = (millionths / 100, millionths % 100)
        let isUp = rest > 50 || rest == 50 && !whole.isMultiple(of: 2)
        let units = whole + (isUp ? 1 : 0)
        let scale = 10_000_000_000
        var decimals = String(String(scale + units % scale).dropFirst())
        while decimals.last == "0" { decimals.removeLast() }
        return decimals.isEmpty ? "\(units / scale)" : "\(units / scale).\(decimals)"
    }
}
