/// A part of a limit, as a fraction of `whole`.
struct Fraction: Equatable {
    /// The numerator; `whole` is the denominator.
    let units: Int

    /// The denominator of all fractions. It is divisible by every number up to 40.
    static let whole = 5_342_931_457_063_200
    static let nothing = Fraction(units: 0)

    init(units: Int) { self.units = units }

    /// Creates one of `count` equal parts, rounded down.
    init(oneOf count: Int) { units = Self.whole / max(1, count) }

    /// Returns this fraction of `left` units, rounded down.
    func part(of left: Int) -> Int {
        let product = max(0, left).multipliedFullWidth(by: units)
        return Self.whole.dividingFullWidth(product).quotient
    }
}
