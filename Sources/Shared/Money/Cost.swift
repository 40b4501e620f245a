import Engine

/// The cost of calls: an amount of dollars.
package struct Cost: Sendable, Equatable, Comparable {
    /// The amount in units of 10^-12 dollars (a millionth of a millionth).
    package let millionths: Int

    package init(millionths: Int) { self.millionths = millionths }

    package static let nothing = Cost(millionths: 0)

    /// The largest possible amount in units of 10^-12 dollars: nine million dollars. A larger sum becomes this amount.
    static let maxMillionths = 9_000_000_000_000_000_000

    /// The amount in the unit in which limits count dollars, 10^-9 dollars, rounded up.
    package var usdParts: Int { millionths / 1_000 + (millionths % 1_000 == 0 ? 0 : 1) }

    /// Returns the cost of a million pieces, of which `count` cost this amount, in 10^-9 dollars.
    package func usdParts(perMillionOf count: Int) -> Int {
        let (millions, isTooLarge) = millionths.multipliedReportingOverflow(by: 1_000)
        return isTooLarge ? Self.maxMillionths / max(1, count) * 1_000 : millions / max(1, count)
    }

    package static func + (one: Cost, other: Cost) -> Cost {
        let (sum, isTooLarge) = one.millionths.addingReportingOverflow(other.millionths)
        return Cost(millionths: isTooLarge ? maxMillionths : min(sum, maxMillionths))
    }

    package static func < (one: Cost, other: Cost) -> Bool { one.millionths < other.millionths }

    /// The amount in dollars as text with all its decimals, such as `0.0000000025`.
    package var exactText: String {
        let scale = 1_000_000_000_000
        return String(decimal: millionths / scale, rest: millionths % scale, of: scale)
    }

    /// The amount in dollars as text, rounded to at most ten decimals, such as `0.0001` or `12`.
    package var text: String {
        guard millionths > 0 else { return "0" }
        let (whole, rest) = (millionths / 100, millionths % 100)
        let isUp = rest > 50 || rest == 50 && !whole.isMultiple(of: 2)
        let units = whole + (isUp ? 1 : 0)
        let scale = 10_000_000_000
        return String(decimal: units / scale, rest: units % scale, of: scale)
    }
}

extension Cost {
    /// Creates the product of a number of units and a price in 10^-12 dollars, divided by `size` and rounded up. A
    /// product that is too large becomes `maxMillionths`.
    init(_ amount: Int, at price: Int, per size: Int = 1) {
        let (product, isTooLarge) = amount.multipliedReportingOverflow(by: price)
        let units = product / size + (product % size > 0 ? 1 : 0)
        self.init(millionths: isTooLarge ? Self.maxMillionths : max(0, min(units, Self.maxMillionths)))
    }
}
