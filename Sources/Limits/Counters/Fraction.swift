/// A fraction of a limit, such as a third. All fractions have the denominator `whole`.
struct Fraction: Equatable {
    /// The numerator of the fraction; `whole` is the denominator.
    let units: Int

    /// The denominator of all fractions. It is divisible by every number up to 40.
    static let whole = 5_342_931_457_063_200
    static let nothing = Fraction(units: 0)

    init(units: Int) { self.units = units }

    /// Creates the fraction 1/`count`, rounded down.
    init(oneOf count: Int) { units = Self.whole / max(1, count) }

    /// Returns this fraction of a number of units, rounded down.
    func part(of left: Int) -> Int {
        let product = max(0, left).multipliedFullWidth(by: units)
        return Self.whole.dividingFullWidth(product).quotient
    }
}
