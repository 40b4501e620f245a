package import Engine

/// The cost of calls: an amount of dollars.
package struct Cost: Sendable, Equatable, Comparable {
    package let picodollars: Int

    package init(picodollars: Int) { self.picodollars = picodollars }

    package static let nothing = Cost(picodollars: 0)

    /// The largest possible amount: nine million dollars. A larger sum becomes this amount.
    static let maxPicodollars = 9_000_000_000_000_000_000

    /// The amount in the unit in which limits count dollars, rounded up.
    package var nanodollars: Int { picodollars / 1_000 + (picodollars % 1_000 == 0 ? 0 : 1) }

    /// Returns the cost of a million pieces, of which `count` cost this amount.
    package func nanodollars(perMillionOf count: Int) -> Int {
        let (millions, isTooLarge) = picodollars.multipliedReportingOverflow(by: 1_000)
        return isTooLarge ? Self.maxPicodollars / max(1, count) * 1_000 : millions / max(1, count)
    }

    package static func + (one: Cost, other: Cost) -> Cost {
        let (sum, isTooLarge) = one.picodollars.addingReportingOverflow(other.picodollars)
        return Cost(picodollars: isTooLarge ? maxPicodollars : min(sum, maxPicodollars))
    }

    package static func < (one: Cost, other: Cost) -> Bool { one.picodollars < other.picodollars }

    /// The amount in dollars as a JSON number.
    package var number: JSONFragment { JSONFragment(stringLiteral: exactText) }

    /// The amount in dollars as text with all its decimals, such as `0.0000000025`.
    package var exactText: String {
        let scale = 1_000_000_000_000
        return String(decimal: picodollars / scale, rest: picodollars % scale, of: scale)
    }

    /// The amount in dollars as text, rounded to at most ten decimals, such as `0.0001` or `12`.
    package var text: String {
        guard picodollars > 0 else { return "0" }
        let (whole, rest) = (picodollars / 100, picodollars % 100)
        let isUp = rest > 50 || rest == 50 && !whole.isMultiple(of: 2)
        let units = whole + (isUp ? 1 : 0)
        let scale = 10_000_000_000
        return String(decimal: units / scale, rest: units % scale, of: scale)
    }
}

extension Cost {
    /// Creates the product of a number of units and a price, divided by `size` and rounded up. A product that is too
    /// large becomes `maxPicodollars`.
    init(_ amount: Int, at picodollars: Int, per size: Int = 1) {
        let (product, isTooLarge) = amount.multipliedReportingOverflow(by: picodollars)
        let units = product / size + (product % size > 0 ? 1 : 0)
        self.init(picodollars: isTooLarge ? Self.maxPicodollars : max(0, min(units, Self.maxPicodollars)))
    }
}
