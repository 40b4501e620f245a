import Support
import Testing

@testable import Engine

@Suite struct LoopPaceTests {
    private let second: UInt64 = 1_000_000_000

    @Test("the longest turn is told for one to two minutes")
    func forgets() {
        let pace = LoopPace()
        let start = LoopTime.seconds(1_000)
        pace.turnBegins(at: start)
        #expect(pace.turnEnds(at: start + 300) == 300)
        pace.turnBegins(at: start + second)
        #expect(pace.turnEnds(at: start + second + 100) == 100)
        #expect(pace.longestNanoseconds(at: start + 2 * second) == 300)
        pace.turnBegins(at: start + 70 * second)
        _ = pace.turnEnds(at: start + 70 * second + 50)
        #expect(pace.longestNanoseconds(at: start + 71 * second) == 300)
        pace.turnBegins(at: start + 135 * second)
        _ = pace.turnEnds(at: start + 135 * second + 20)
        #expect(pace.longestNanoseconds(at: start + 136 * second) == 50)
        #expect(pace.longestNanoseconds(at: start + 300 * second) == 0)
    }

    @Test("a turn that has not ended counts as far as it has come")
    func isBusy() {
        let pace = LoopPace()
        pace.turnBegins(at: .seconds(10))
        #expect(pace.longestNanoseconds(at: .seconds(13)) == 3 * second)
        _ = pace.turnEnds(at: .seconds(14))
        #expect(pace.longestNanoseconds(at: .seconds(14)) == 4 * second)
    }

    @Test("a turn of a quarter of a second is told, a shorter one is not", arguments: [(249, 0), (250, 1)])
    func reportsLongTurns(_ milliseconds: UInt64, _ reported: Int) {
        let clock = ManualClock()
        let lengths = Lock<[UInt64]>([])
        let loop = EventLoop(clock: { clock.now }, onLongTurn: { length in lengths.withLock { $0.append(length) } })
        loop.call {
            clock.advance(milliseconds: milliseconds)
            loop.call { loop.stop() }
        }
        loop.run()
        #expect(lengths.withLock { $0 } == [UInt64](repeating: milliseconds * 1_000_000, count: reported))
    }
}
