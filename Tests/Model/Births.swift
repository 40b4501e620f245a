/// A generator of numbers that are all different. If `isConstant`, all but the first are equal; the first one is the
/// instance's id.
struct Births: RandomNumberGenerator, Sendable {
    /// The step between numbers. Pauses are drawn as remainders, which are 0 for its multiples.
    private static let step: UInt64 = 232_792_560_000
    private var last: UInt64
    private var isFirst = true
    private let isConstant: Bool

    init(instance: Int, isConstant: Bool) {
        last = UInt64(instance + 1) << 56 / Self.step * Self.step
        self.isConstant = isConstant
    }

    mutating func next() -> UInt64 {
        defer { isFirst = false }
        if isConstant, !isFirst { return Self.step }
        last += Self.step
        return last
    }
}
