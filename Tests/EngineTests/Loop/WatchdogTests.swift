import Glibc
import Support
import Synchronization
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct WatchdogTests {
    private let second: UInt64 = 1_000_000_000

    @Test("a loop that answers no tick of thirty in a row hangs, and no other does")
    func hangs() {
        var watch = LoopHangDetector()
        for tick in 0..<30 as Range<UInt64> {
            #expect(watch.tick(at: .seconds(tick), turns: [tick, 7, 2 * tick]) == nil)
        }
        #expect(watch.tick(at: .seconds(30), turns: [30, 7, 60]) == 1)
    }

    @Test("an answer begins the count anew")
    func answers() {
        var watch = LoopHangDetector()
        for tick in 0..<200 as Range<UInt64> {
            #expect(watch.tick(at: .seconds(tick), turns: [tick / 30]) == nil)
        }
    }

    @Test("a tick that is late begins the count anew", arguments: [(500, true), (501, false)])
    func isLate(_ milliseconds: UInt64, _ isCounted: Bool) {
        var watch = LoopHangDetector()
        for tick in 0..<30 as Range<UInt64> { _ = watch.tick(at: .seconds(tick), turns: [7]) }
        let late = LoopTime.seconds(30) + milliseconds * 1_000_000
        #expect(watch.tick(at: late, turns: [7]) == (isCounted ? 0 : nil))
        guard !isCounted else { return }
        for tick in 1..<30 as Range<UInt64> { #expect(watch.tick(at: late + tick * second, turns: [7]) == nil) }
        #expect(watch.tick(at: late + 30 * second, turns: [7]) == 0)
    }

    @Test("of two real loops the one that hangs is told, though the other has nothing to do")
    func watchesLoops() {
        let loops = [LoopThread(), LoopThread()]
        let idle = loops[0].loop
        let isFree = Atomic(false)
        let isStuck = Atomic(false)
        loops[1].loop.call {
            isStuck.store(true, ordering: .relaxed)
            while !isFree.load(ordering: .relaxed) { usleep(1_000) }
        }
        while !isStuck.load(ordering: .relaxed) { usleep(100) }
        let clock = ManualClock()
        let ticks = Atomic(0)
        let reported = Lock<[Int]>([])
        let watchdog = Watchdog(
            loops.map(\.loop),
            clock: { clock.now },
            sleep: { nanoseconds in
                clock.advance(milliseconds: nanoseconds / 1_000_000)
                // Each tick wakes the other loop, which turns once more.
                let turns = idle.pace.turns
                let isFirst = ticks.add(1, ordering: .relaxed).oldValue == 0
                while !isFirst, idle.pace.turns == turns, reported.withLock({ $0.isEmpty }) {
                    idle.wakeUp()
                    usleep(100)
                }
                return reported.withLock { $0.isEmpty } && ticks.load(ordering: .relaxed) < 100
            },
            onHang: { loop in reported.withLock { $0.append(loop) } }
        )
        watchdog.run()
        #expect(reported.withLock { $0 } == [1])
        #expect(ticks.load(ordering: .relaxed) == 32)
        isFree.store(true, ordering: .relaxed)
        for thread in loops {
            thread.loop.stop()
            thread.join()
        }
    }
}
