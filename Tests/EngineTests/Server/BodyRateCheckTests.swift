import Testing

@testable import Engine

@Suite struct BodyRateCheckTests {
    private let start = LoopTime(nanoseconds: 7_000_000_000)

    /// Returns the number of checks after which a body with so many bytes in each five seconds is too slow; nil if 100
    /// do not suffice.
    private func checksUntilTooSlow(_ bytes: (Int) -> Int) -> Int? {
        var pace = BodyRateCheck(since: start)
        var now = start
        for check in 1...100 {
            pace.count(bytes(check))
            now += BodyRateCheck.checkNanoseconds
            if pace.isTooSlow(at: now) { return check }
        }
        return nil
    }

    @Test("30,720 bytes in 30 seconds are enough, one less is not, and nobody is judged before")
    func boundary() {
        #expect(checksUntilTooSlow { _ in 5_120 } == nil)
        #expect(checksUntilTooSlow { $0 == 6 ? 5_119 : 5_120 } == 6)
        #expect(checksUntilTooSlow { _ in 0 } == 6)
    }

    @Test("only the last 30 seconds count")
    func slides() {
        #expect(checksUntilTooSlow { $0 == 1 ? 10_000_000 : 0 } == 7)
        #expect(checksUntilTooSlow { $0 % 6 == 1 ? 30_720 : 0 } == nil, "one burst in each window")
        #expect(checksUntilTooSlow { $0 <= 20 ? 30_720 : 0 } == 26)
    }

    @Test("checks that come early do not count")
    func early() {
        var pace = BodyRateCheck(since: start)
        for step in 1..<100 {
            let isTooSlow = pace.isTooSlow(at: start + UInt64(step) * 40_000_000)
            #expect(!isTooSlow)
        }
    }
}
