import Testing

@testable import Limits

/// Tests of the parts of limits that instances admit under the rule `share`.
@Suite struct PartsTests {
    @Test("a new instance takes what the claims of the others leave")
    func charges() {
        var shares = Ledger.InstanceShare()
        shares.cap = .nothing
        #expect(shares.fraction == .nothing)
        shares.lower(to: 3)
        shares.wrote(3, besides: [2, 2])
        #expect(shares.fraction == .nothing, "two that know each other leave nothing")
        shares.wrote(3, besides: [3, 2])
        #expect(shares.fraction.part(of: 60) == 10)
        shares.wrote(3, besides: [3, 3])
        #expect(shares.cap == nil && shares.fraction == Fraction(oneOf: 3))
    }

    @Test("a part is lowered at once, and raised by what was written only")
    func lowered() {
        var shares = Ledger.InstanceShare()
        shares.lower(to: 4)
        #expect(shares.fraction == Fraction(oneOf: 4))
        shares.lower(to: 2)
        #expect(shares.fraction == Fraction(oneOf: 4), "others are seen no more, but nothing was written")
        shares.wrote(2, besides: [4])
        #expect(shares.fraction == Fraction(oneOf: 2))
        shares.wrote(2, besides: [1])
        #expect(shares.fraction == Fraction(oneOf: 2), "who has it keeps it")
    }

    @Test("claims of the store may be any numbers")
    func anyClaims() {
        var shares = Ledger.InstanceShare()
        shares.wrote(1, besides: [0, Record.countBound, 1])
        shares.wrote(Record.countBound, besides: [Int](repeating: 1, count: 1_024))
        #expect(shares.fraction.part(of: .max) >= 0 && Fraction(oneOf: 1).part(of: .max) == .max)
    }
}
