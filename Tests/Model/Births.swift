/// Numbers that are all different. Those of `isConstant` are not, but for the first, which names the instance.
struct Births: RandomNumberGenerator, Sendable {
    /// Pauses are drawn as remainders, of which these leave none.
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
