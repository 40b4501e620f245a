import Support
import Testing

@testable import Engine

@Suite struct LoopTimeTests {
    @Test("a later reading that was taken by another loop is no time ago")
    func differences() {
        let now = LoopTime.seconds(10)
        #expect(now.nanoseconds(since: now + 1) == 0 && now.milliseconds(since: .distantFuture) == 0)
        #expect((now + 1_999_999).nanoseconds(since: now) == 1_999_999)
        #expect((now + 1_999_999).milliseconds(since: now) == 1)
        #expect(LoopTime.distantFuture.nanoseconds(since: .distantPast) == .max)
    }

    @Test("a sum that is too large never comes")
    func sums() {
        let never = LoopTime.distantFuture
        #expect(LoopTime.seconds(1) + .max == never && never + 1 == never && .seconds(1) < never)
        var time = LoopTime.seconds(1)
        time += .max
        #expect(time == never)
        #expect(LoopTime.seconds(3).adding(seconds: 2) == .seconds(5) && never == .seconds(3).adding(seconds: .max))
        #expect(LoopTime.seconds(3).adding(seconds: -2) == .seconds(3))
    }

    @Test("microseconds from elsewhere are within the clock's range", arguments: [Int.min, -1, 0, 1, .max])
    func microseconds(_ count: Int) {
        let expected: LoopTime =
            switch count {
            case ...0: .distantPast
            case 1: 1_000
            default: .distantFuture
            }
        #expect(LoopTime(microseconds: count) == expected)
    }

    @Test("an atomic reading is the reading")
    func isAtomic() {
        for time in [LoopTime.distantPast, .seconds(7), .distantFuture] {
            #expect(LoopTime.decodeAtomicRepresentation(LoopTime.encodeAtomicRepresentation(time)) == time)
        }
    }
}
